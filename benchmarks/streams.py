"""How many replies one web process can stream at once, and what each token costs it.

    python -m benchmarks.streams [--quick] [--streams 10 50 …] [--rounds 3] [--only SQLite|PostgreSQL|relay] [--one-cpu]

The site runs as in production with persistence, rendering and access checks on, first on SQLite, then on PostgreSQL;
beside it, in the same run and with the same client and model, two bare relays (`benchmarks/relay.py`).
`benchmarks/README.md` says what each figure means.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Self

from benchmarks import processes, report
from benchmarks.processes import Database, Running

LEVELS = (10, 50, 100, 200, 300, 400)
TOKEN_MS = 20.0
BEGUN_PER_SECOND = 10
WINDOW_SECONDS = 5.0
IDLE_SOCKETS = 100
RELAYS = {"relay, typed chunks": ["--typed"], "relay, lines": []}
WARM_UP = 3

COLUMNS = {
    "server": "server",
    "streams": "streams",
    "delay_p50_ms": "p50 ms",
    "delay_p95_ms": "p95 ms",
    "delay_p99_ms": "p99 ms",
    "first_delay_p50_ms": "first p50",
    "first_delay_p95_ms": "first p95",
    "cpu_us_per_token": "CPU µs/token",
    "cpu_ms_per_reply": "+ ms/reply",
    "cpu_percent": "CPU %",
    "tokens_per_second": "tokens/s",
    "frames_per_second": "frames/s",
    "commits_per_second": "commits/s",
    "idle_memory_mb": "idle MB",
    "idle_own_memory_mb": "of it own",
    "memory_mb": "MB",
    "kb_per_socket": "kB/socket",
    "kb_per_reply": "kB/reply",
    "client_percent": "client %",
    "failed": "failed",
    "gaps": "gaps",
}
RATIOS = ("delay_p95_ms", "cpu_us_per_token", "cpu_ms_per_reply", "memory_mb")


def main() -> None:
    options = parse()
    processes.allow_many_files()
    rows = [row for levels in rounds(options) for row in levels]
    merged = merge(rows)
    print(report.table(f"Streams of one token per {TOKEN_MS:.0f} ms, one web process", COLUMNS, merged))
    compared = ratios(merged)
    if compared:
        names = {"server": "server", "beside": "beside", "streams": "streams"} | {
            name: COLUMNS[name] + " ×" for name in RATIOS
        }
        print("\n" + report.table("The same as multiples of the relays'", names, compared))
    print(
        f"\n{report.save('streams', {'options': vars(options), 'rows': rows, 'medians': merged, 'ratios': compared})}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 and 100 streams, once, for a short time")
    parser.add_argument("--streams", type=int, nargs="+", default=None)
    parser.add_argument("--rounds", type=int, default=1, help="measure all so often and give the medians")
    parser.add_argument("--only", nargs="+", choices=["SQLite", "PostgreSQL", "relay"])
    parser.add_argument("--servers", nargs="+", choices=processes.SERVERS, default=processes.SERVERS[:1])
    parser.add_argument("--window", type=float, default=None, help="seconds that are measured")
    parser.add_argument("--one-cpu", action="store_true", help="keep the site to one CPU")
    options = parser.parse_args()
    options.streams = options.streams or ([10, 100] if options.quick else list(LEVELS))
    options.window = options.window or (2.0 if options.quick else WINDOW_SECONDS)
    if options.only is None:
        options.only = ["SQLite", *(["PostgreSQL"] if processes.postgres_url() else []), "relay"]
    return options


def rounds(options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    for _ in range(options.rounds):
        with processes.model_server(token_ms=TOKEN_MS) as model:
            for name in options.only:
                if name == "relay":
                    yield relays(options, model)
                else:
                    yield from (site(options, model, name, asgi) for asgi in options.servers)


def site(options: argparse.Namespace, model: Running, name: str, asgi: str) -> list[dict[str, Any]]:
    rows = []
    with processes.database(name) as database:
        count = sum(options.streams) + len(options.streams) * (WARM_UP + IDLE_SOCKETS)
        people = processes.seed(processes.environment(database, model, "plain"), count)
        for streams in options.streams:
            settings = processes.environment(database, model, f"plain:{tokens_for(streams, options.window)}")
            with processes.site(settings, on=asgi, on_one_cpu=options.one_cpu) as server:
                taken, people = people[: streams + WARM_UP + IDLE_SOCKETS], people[streams + WARM_UP + IDLE_SOCKETS :]
                with_sockets = processes.targets(server.port, taken)
                rows.append(
                    measure(
                        processes.site_name(name, asgi), streams, with_sockets, server, model, options.window, database
                    )
                )
    return rows


def relays(options: argparse.Namespace, model: Running) -> list[dict[str, Any]]:
    rows = []
    for name, arguments in RELAYS.items():
        for streams in options.streams:
            plain = f"plain:{tokens_for(streams, options.window)}"
            command = ["-m", "benchmarks.relay", "--model-url", processes.base_url(model), "--model", plain, *arguments]
            with processes.running(*command) as server:
                target = {"url": f"ws://127.0.0.1:{server.port}/"}
                targets = [target] * (streams + WARM_UP + IDLE_SOCKETS)
                rows.append(measure(name, streams, targets, server, model, options.window, None))
    return rows


def ramp_seconds(streams: int) -> float:
    return streams / BEGUN_PER_SECOND


def tokens_for(streams: int, window: float) -> int:
    """As many as last until all streams have begun and the window has passed, with time to spare."""
    return round((ramp_seconds(streams) * 1.1 + 2 + window) * 1000 / TOKEN_MS)


def measure(
    name: str,
    streams: int,
    targets: list[dict[str, Any]],
    server: Running,
    model: Running,
    window: float,
    database: Database | None,
) -> dict[str, Any]:
    """One row: warm up, count what idle sockets take, then stream."""
    tokens = tokens_for(streams, window)
    idle, targets = targets[:IDLE_SOCKETS], targets[IDLE_SOCKETS:]
    warm, targets = targets[:WARM_UP], targets[WARM_UP:]
    started = usage(server, model, database)
    with Load(targets=warm, ramp_seconds=1.0, window_seconds=0.0, tokens=tokens) as load:
        load.begin()
        load.until("finished")
    before = server.memory_kb()
    with Load(targets=idle, ramp_seconds=0.0, window_seconds=0.0, tokens=tokens) as load:
        kb_per_socket = (server.memory_kb() - before) / len(idle)
        load.leave()
    ramp = ramp_seconds(streams)
    with Load(targets=targets, ramp_seconds=ramp, window_seconds=window, tokens=tokens) as load:
        connected = usage(server, model, database)
        load.begin()
        load.until("streaming")
        streaming = usage(server, model, database)
        load.until("measured")
        measured = usage(server, model, database)
        figures = load.until("finished")
        finished = usage(server, model, database)
    seconds, counted = figures["seconds"], figures["tokens"]
    cpu = measured["cpu"] - streaming["cpu"]
    per_token = cpu / counted
    rest = finished["cpu"] - connected["cpu"] - per_token * figures["all_tokens"]
    row = {
        "server": name,
        "streams": streams,
        **figures,
        "cpu_us_per_token": per_token * 1e6,
        "cpu_ms_per_reply": rest / streams * 1e3,
        "cpu_percent": cpu / seconds * 100,
        "commits_per_second": None
        if database is None or measured["commits"] is None
        else (measured["commits"] - streaming["commits"]) / seconds,
        "idle_memory_mb": started["memory"] / 1000,
        "idle_own_memory_mb": started["own_memory"] / 1000,
        "memory_mb": measured["memory"] / 1000,
        "kb_per_socket": kb_per_socket,
        "kb_per_reply": (measured["memory"] - connected["memory"]) / streams,
        "client_percent": figures["client_cpu_seconds"] / seconds * 100,
        "model_percent": (measured["model_cpu"] - streaming["model_cpu"]) / seconds * 100,
    }
    print(*(f"{head} {report.shown(row[key])}" for key, head in COLUMNS.items()), sep=", ", file=sys.stderr)
    return row


def usage(server: Running, model: Running, database: Database | None) -> dict[str, Any]:
    return {
        "cpu": server.cpu_seconds(),
        "memory": server.memory_kb(),
        "own_memory": server.own_memory_kb(),
        "model_cpu": model.cpu_seconds(),
        "commits": database.commits() if database else None,
    }


class Load:
    """The load client's process, step by step; see `benchmarks.load`."""

    def __init__(self, **plan: Any) -> None:
        self._plan = plan

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.load"]
        self._process = subprocess.Popen(
            command, cwd=report.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._tell(json.dumps(self._plan))
        self.until("connected")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def begin(self) -> None:
        self._tell("begin")

    def leave(self) -> None:
        self._process.terminate()

    def until(self, step: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            reached: dict[str, Any] = json.loads(line)
            if reached["step"] == step:
                return reached
        raise AssertionError(f"the load client ended before it was {step}")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def merge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The medians over rounds of each server and number of streams."""
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["server"], row["streams"]), []).append(row)
    return [report.medians(group) for group in groups.values()]


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each site's figures as multiples of each relay's with as many streams."""
    found = []
    for row in rows:
        for relay in RELAYS:
            beside = next((r for r in rows if r["server"] == relay and r["streams"] == row["streams"]), None)
            if beside is not None and row["server"].startswith("site"):
                found.append(
                    {"server": row["server"], "beside": relay, "streams": row["streams"]}
                    | {name: row[name] / beside[name] for name in RATIOS}
                )
    return found


if __name__ == "__main__":
    main()
