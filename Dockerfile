# syntax=docker/dockerfile:1

# docker build -t idefics-server:0.1.0 .                             runs on the CPU
# docker build -t idefics-server:0.1.0-cuda --target cuda .          runs on NVIDIA GPUs (linux/amd64)

ARG JAVA_IMAGE=eclipse-temurin:17.0.19_10-jre-noble
ARG MAVEN_IMAGE=maven:3.9.11-eclipse-temurin-17-noble

# The jar, taken apart into layers: what changes seldom first.
FROM ${MAVEN_IMAGE} AS build
WORKDIR /build
COPY pom.xml ./
COPY src ./src
RUN --mount=type=cache,target=/root/.m2 mvn --batch-mode --no-transfer-progress -DskipTests package
RUN java -Djarmode=tools -jar target/idefics-server.jar extract --layers --destination layers

# PyTorch as plain files, so that nothing is unpacked at start and both images can share all other layers.
FROM build AS libtorch-cpu
RUN mkdir /native /libtorch \
    && cd /native \
    && jar --extract --file /build/layers/dependencies/lib/pytorch-native-cpu-*.jar \
    && cp pytorch/cpu/*/* /libtorch \
    && chmod 555 /libtorch/*

FROM ${MAVEN_IMAGE} AS libtorch-cuda
ARG LIBTORCH_URL=https://download.pytorch.org/libtorch/cu128/libtorch-cxx11-abi-shared-with-deps-2.7.1%2Bcu128.zip
# Checked when given.
ARG LIBTORCH_SHA256=""
ADD ${LIBTORCH_URL} /libtorch.zip
# DJL loads every file of the directory: only shared libraries may be there, and not those for PyTorch's own tests.
RUN if [ -n "${LIBTORCH_SHA256}" ]; then echo "${LIBTORCH_SHA256}  /libtorch.zip" | sha256sum --check; fi \
    && mkdir /native /libtorch \
    && cd /native \
    && jar --extract --file /libtorch.zip libtorch/lib \
    && find libtorch/lib -name '*.so*' ! -name '*test*' ! -name '*backend_with_compiler*' ! -name '*aoti_custom*' \
        -exec mv -t /libtorch {} + \
    && chmod 555 /libtorch/* \
    && rm -r /native /libtorch.zip

FROM build AS application
RUN rm layers/dependencies/lib/pytorch-native-cpu-*.jar \
    && mkdir models

FROM ${JAVA_IMAGE} AS runtime
LABEL org.opencontainers.image.title="IDEFICS Server" \
      org.opencontainers.image.description="Serves IDEFICS vision-language models behind the interfaces of OpenAI, Anthropic and text-generation-inference." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=application /build/layers/dependencies/ ./
COPY --from=application /build/layers/spring-boot-loader/ ./
COPY --from=application /build/layers/snapshot-dependencies/ ./
COPY --from=application /build/layers/application/ ./
COPY --from=application --chown=10001:10001 /build/models /models
COPY LICENSE NOTICE ./

# DJL neither downloads nor reports anything; what it unpacks goes to /tmp, the only place that must be writable.
ENV OPT_OUT_TRACKING=true \
    DJL_CACHE_DIR=/tmp/djl \
    PYTORCH_LIBRARY_PATH=/opt/libtorch \
    PYTORCH_VERSION=2.7.1 \
    MANAGEMENT_ENDPOINT_HEALTH_PROBES_ENABLED=true
# Health, metrics and the description of the API are on port 8081. On all addresses every request needs a key.
ENV SPRING_PROFILES_ACTIVE=production \
    SERVER_ADDRESS=0.0.0.0
# The heap gets the smaller part of the memory: weights and activations live outside of it.
ENV JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=40 -XX:+ExitOnOutOfMemoryError"

USER 10001:10001
VOLUME /models
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30m --retries=3 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8081/actuator/health/readiness"]
ENTRYPOINT ["java", "-Dai.djl.offline=true", "-Djava.io.tmpdir=/tmp", "-Duser.home=/tmp", "-jar", "/app/idefics-server.jar"]

FROM runtime AS cuda
ENV PYTORCH_FLAVOR=cu128 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=libtorch-cuda /libtorch /opt/libtorch

# The last stage is the default one.
FROM runtime AS cpu
ENV PYTORCH_FLAVOR=cpu
COPY --from=libtorch-cpu /libtorch /opt/libtorch
