# One image for web processes, the worker and management commands. It runs as nobody in particular, and needs to write
# only to /data (uploads), /app/var and /tmp: run it with a read-only root.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt ./
RUN /venv/bin/pip install --require-hashes -r requirements.txt
COPY manage.py ./
COPY core core
COPY courses courses
COPY chats chats
COPY studybuddy studybuddy
COPY templates templates
COPY static static
RUN SECRET_KEY=only-to-collect-files /venv/bin/python manage.py collectstatic --no-input \
    && /venv/bin/python -m compileall -q /app /venv/lib

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin studybuddy \
    && mkdir -p /data/media /app/var && chown -R studybuddy /data /app/var
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 MEDIA_ROOT=/data/media
USER studybuddy
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["python", "manage.py", "serve"]
