# One image for the chat node, the recorder and the migration step: docker-compose.yml says which one a container is.

FROM node:24-bookworm-slim AS base
WORKDIR /app

# `npm install --no-save` installs the versions of the lock file, as `npm ci` does; but newer npm refuses `npm ci` with a
# lock file that lacks the packages of some other platform.

# The package.json files alone, so that the installs below run again only when one of them changes.
FROM base AS manifests
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
  && find . -type d -empty -delete

# What runs needs, and nothing that only development or a local cluster needs. To npm the Prisma command line is an
# optional part of Prisma's client, which also brings a query compiler for each database that Prisma knows.
FROM manifests AS dependencies
RUN npm install --no-save --omit=dev --omit=optional --workspace apps/chat-node --workspace apps/recorder \
  && find node_modules/@prisma/client/runtime -name 'query_compiler_*' ! -name '*.postgresql.*' -delete

FROM manifests AS build
RUN npm install --no-save
COPY . .
RUN npx turbo run build --filter=@passerby/chat-node --filter=@passerby/recorder
RUN mkdir /built \
  && cp -r --parents apps/*/dist apps/web/status/dist packages/*/dist packages/redis/lua prisma/migrations /built

FROM base
ENV NODE_ENV=production
COPY --from=dependencies /app ./
COPY --from=build /built ./
USER node
CMD ["node", "apps/chat-node/dist/main.js"]
