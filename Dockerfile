# Two stages, so that the running image holds no compiler, no build tool and no cache.
FROM python:3.13-slim AS build

RUN python -m venv /opt/marketplace
ENV PATH=/opt/marketplace/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src

# The locked packages first: they change seldom, so this layer is kept.
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN pip install --require-hashes -r requirements/runtime.lock

COPY pyproject.toml README.md LICENSE package.json package-lock.json .npmrc ./
COPY marketplace marketplace
COPY catalog catalog
COPY charity charity
COPY settlement settlement
COPY plugins plugins
COPY requirements/vendor.py requirements/
# What the pages load in the browser goes into the wheel.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.lock \
 && /opt/build/bin/python requirements/vendor.py --production \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . ./plugins/*/ \
 && pip install --no-deps /wheels/*.whl

FROM python:3.13-slim

RUN useradd --system --create-home --home-dir /srv/marketplace marketplace
COPY --from=build /opt/marketplace /opt/marketplace
ENV PATH=/opt/marketplace/bin:$PATH PYTHONUNBUFFERED=1
USER marketplace
WORKDIR /srv/marketplace
EXPOSE 8000
CMD ["marketplace", "serve"]
