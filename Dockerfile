# syntax=docker/dockerfile:1

# Build: everything from hashed requirement files, into one folder that the second stage copies.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY deploy/requirements.txt deploy/requirements-build.txt ./
RUN python -m venv /opt/olgw \
    && /opt/olgw/bin/pip install --require-hashes --no-deps -r requirements.txt \
    && python -m pip install --require-hashes --no-deps -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY config/demo.yaml config/demo.yaml
COPY gateway gateway
# The wheel is built with the tools installed above, not with whatever is newest today.
RUN python -m pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
    && /opt/olgw/bin/pip install --no-index --no-deps /wheels/*.whl \
    && /opt/olgw/bin/pip check \
    && /opt/olgw/bin/pip uninstall --yes pip

FROM python:3.13-slim
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="OL Connect gateway" \
      org.opencontainers.image.description="API gateway for OL Connect Server" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# A fixed number, so that volumes and Kubernetes' runAsUser can name it.
RUN groupadd --system --gid 10001 olgw \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/olgw --shell /usr/sbin/nologin olgw \
    && install --directory --owner olgw --group olgw --mode 0700 /var/lib/olgw \
    && install --directory --mode 0755 /etc/olgw
COPY --from=build /opt/olgw /opt/olgw
ENV PATH=/opt/olgw/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# The admin listener is on 0.0.0.0 in a container, for Prometheus and probes: publish 8080 alone.
# The root may be read-only: what changes is in the volume, what is temporary under /tmp.
USER 10001:10001
WORKDIR /var/lib/olgw
VOLUME /var/lib/olgw
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["olgw", "health"]
ENTRYPOINT ["olgw"]
CMD ["serve", "--config", "/etc/olgw/gateway.yaml", "--insecure-admin-address"]
