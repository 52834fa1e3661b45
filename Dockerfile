# The compiler's image and the runtime's share Debian 12, so that the C library is the same.
ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches live on the build host: a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --profile dist -p hrms-server \
 && install -D --strip target/dist/hrms-server /out/usr/local/bin/hrms-server \
 && mkdir -p /data

# C library, time zones and nothing else: no shell, no package manager. Its user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/ /
# A volume mounted here takes over this owner and mode.
COPY --from=build --chown=65532:65532 --chmod=700 /data /var/lib/hrms
ENV HRMS_BIND=0.0.0.0:8080 \
    HRMS_DATA_DIR=/var/lib/hrms
WORKDIR /var/lib/hrms
VOLUME /var/lib/hrms
EXPOSE 8080
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
    CMD ["/usr/local/bin/hrms-server", "check", "--live"]
ENTRYPOINT ["/usr/local/bin/hrms-server"]
CMD ["serve"]
