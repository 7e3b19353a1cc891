# The served image; the build context is a build tree (build/<name>/<tag>/, made by ./make_triton_image.sh).
# Only the base images are pulled. BuildKit skips the stages that a runtime does not use; the legacy builder works too.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.08-py3
ARG SLIM_IMAGE=ubuntu:24.04
# slim: only the parts for CPUs, on SLIM_IMAGE. full: all of TRITON_IMAGE, for GPUs.
ARG RUNTIME=slim
# The modification time of every file of ours: two builds of the same inputs have the same layers. The first layers also
# hold it in a file, because a builder's cache compares the content of files and not their times.
ARG SOURCE_DATE_EPOCH=0

FROM ${TRITON_IMAGE} AS triton

# The packages of the served models, installed for the Python of the base image.
FROM triton AS wheels
USER 0
WORKDIR /build
COPY requirements-serving.txt deploy/prune_packages.sh ./
COPY wheelhouse/ ./wheelhouse/
# A base may have no pip: Python runs a wheel, which is a zip file, directly.
# Unchecked bytecode: nothing here is edited, and builders may change modification times.
RUN umask 022 \
 && python3 "$(echo wheelhouse/pip-*.whl)/pip" --isolated install --no-index --no-deps --no-compile --no-cache-dir \
      --root-user-action=ignore --find-links wheelhouse --target /opt/serving --require-hashes \
      --requirement requirements-serving.txt \
 && bash prune_packages.sh /opt/serving \
 && (python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/serving || true) \
 && mkdir -p /rootfs/opt \
 && mv /opt/serving /rootfs/opt/
COPY LICENSE NOTICE /rootfs/opt/serving/
COPY deploy/healthcheck.py deploy/inventory.py deploy/selfcheck.py deploy/supervise.py deploy/serving_site.py /rootfs/opt/serving/
COPY deploy/supervisor/ /rootfs/opt/serving/supervisor/
COPY deploy/try_page/ /rootfs/opt/serving/try_page/
COPY optional/code/ /rootfs/opt/serving/
RUN for package in supervisor api; do if [ -d "/rootfs/opt/serving/${package}" ]; then python3 -m compileall -q \
      --invalidation-mode unchecked-hash -d "/opt/serving/${package}" "/rootfs/opt/serving/${package}"; fi; done
ARG SOURCE_DATE_EPOCH
# Triton's stub may ignore PYTHONPATH, but not a site folder (see serving_site.py).
RUN umask 022 \
 && site="/rootfs$(python3 -I -c 'import site; print(site.getsitepackages()[0])')" \
 && mkdir -p "${site}" \
 && mv /rootfs/opt/serving/serving_site.py "${site}/" \
 && echo 'import serving_site' > "${site}/serving.pth" \
 && echo "${SOURCE_DATE_EPOCH}" > /rootfs/opt/serving/source_date_epoch \
 && find /rootfs -exec chmod a+rX,go-w {} + \
 && find /rootfs -exec touch --no-dereference "--date=@${SOURCE_DATE_EPOCH}" {} +

FROM triton AS collected
ARG RUNTIME
ARG SOURCE_DATE_EPOCH
USER 0
WORKDIR /build
COPY deploy/collect_runtime.sh deploy/inventory.py ./
# The legacy builder builds this stage for a full image as well, and its base may lack the files of a slim one.
# The packages that own the copied files: a scanner of the slim image cannot know them.
RUN if [ "${RUNTIME}" = slim ]; then bash collect_runtime.sh /rootfs \
     && python3 -I -S inventory.py /rootfs /rootfs.copies > base_files.json \
     && mkdir -p /rootfs/opt/serving && mv base_files.json /rootfs/opt/serving/ \
     && echo "${SOURCE_DATE_EPOCH}" > /rootfs/opt/serving/source_date_epoch; \
    else mkdir /rootfs; fi \
 && find /rootfs -exec touch --no-dereference "--date=@${SOURCE_DATE_EPOCH}" {} +

FROM ${SLIM_IMAGE} AS runtime-slim
# Libraries from many folders of the base.
ENV LD_LIBRARY_PATH=/opt/tritonserver/lib
COPY --from=collected /rootfs/ /

FROM triton AS runtime-full

FROM runtime-${RUNTIME} AS assembled
# HOME: uid 1000 may have no entry in /etc/passwd, and only /tmp is writable with a read-only root.
ENV PATH=/opt/serving/supervisor/bin:/opt/tritonserver/bin:${PATH} \
    PYTHONPATH=/opt/serving \
    PYTHONIOENCODING=utf-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    LANG=C.UTF-8 \
    HOME=/tmp \
    ORT_DISABLE_TELEMETRY=1
WORKDIR /opt/tritonserver
COPY --from=wheels /rootfs/ /
USER 1000:1000

# A stage of its own, because a RUN leaves times of this build in its layer. Fails with the name of a missing library.
FROM assembled AS checked
ARG RUNTIME
RUN ["python3", "-I", "-S", "/opt/serving/selfcheck.py"]

# Builders keep the times of the context's files, but not those of its folders.
FROM triton AS weights
ARG SOURCE_DATE_EPOCH
USER 0
COPY weights/ /rootfs/models/
RUN find /rootfs -type d -exec touch "--date=@${SOURCE_DATE_EPOCH}" {} +

FROM triton AS settings
ARG RUNTIME
ARG SOURCE_DATE_EPOCH
USER 0
# The image needs this stage, and this stage the check.
COPY --from=checked /opt/serving/LICENSE /checked/
COPY golden.json /rootfs/opt/serving/
COPY optional/settings/ /rootfs/opt/serving/
COPY model_repository/ /rootfs/models/
# Where --engine tensorrt keeps its engines; a volume takes over the folder's mode.
RUN if [ "${RUNTIME}" = full ]; then mkdir -m 1777 /rootfs/opt/engines; fi \
 && find /rootfs -exec touch "--date=@${SOURCE_DATE_EPOCH}" {} +

FROM assembled AS serving
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
# The canary. An overloaded server is healthy, even if it is slow.
HEALTHCHECK --interval=10s --timeout=15s --start-period=120s --retries=2 \
  CMD ["python3", "-I", "-S", "/opt/serving/healthcheck.py"]
# Arguments: none, flags of Triton, `tritonserver` with flags, or another command such as `bash`.
# The supervisor runs the base's own entry script, if any, and hardens Triton (docs/operations.md).
ENTRYPOINT ["python3", "-I", "-S", "/opt/serving/supervise.py"]
CMD []
# Last, so that another model reuses every layer above. Large files of the model repository come first: another tag,
# label map or setting reuses them.
COPY --from=weights /rootfs/ /
COPY --from=settings /rootfs/ /
