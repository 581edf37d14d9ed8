"""All benchmarks in a short form, one after the other: `python -m benchmarks [NAME…]`, or `make bench`."""

import argparse
import os
import subprocess
import sys

from benchmarks.processes import postgres_url
from benchmarks.report import RESULTS, ROOT

SHORT = {
    "markup": [],
    "provider": ["--streams", "1", "50", "--tokens", "100"],
    "first_token": ["--quick"],
    "streams": ["--quick"],
    "retrieval": ["--quick"],
    "ingestion": [],
    "stores": ["--quick"],
    "faults": ["--faults", "20", "--students", "10", "--lease", "2"],
}
NEEDS_A_DATABASE = {"api": "python -m benchmarks.api --database postgres://…/a_database_of_its_own --sessions 5000"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(SHORT)}")
    names = parser.parse_args().names or list(SHORT)
    if unknown := set(names) - SHORT.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SHORT)}")
    RESULTS.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    if url := postgres_url():
        environment.setdefault("TEST_DATABASE_URL", url)
    failed = []
    for name in names:
        arguments = SHORT[name]
        print(f"\n== {name}: python -m benchmarks.{name} {' '.join(arguments)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *arguments], check=False, cwd=ROOT, env=environment
        )
        if done.returncode:
            failed.append(name)
    for name, command in NEEDS_A_DATABASE.items() if names == list(SHORT) else ():
        print(f"\n== {name} fills a database of its own and is left out here: {command}")
    if failed:
        sys.exit(f"These did not end well: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
