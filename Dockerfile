# Switchyard in a container: docker build -t switchyard . && docker run --init -p 127.0.0.1:3000:3000 -v data:/data switchyard
# Also for what is done to a log:  docker run --rm -v data:/data -v "$PWD":/out switchyard backup /out/backup.db
# It needs no rights, writes to /data alone, and so runs with --read-only, --cap-drop ALL and a volume at /data.

# The tools that compile SQLite are here and not in what is shipped.
FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json nest-cli.json ./
COPY src ./src
COPY projections ./projections
COPY cli ./cli
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
# Inside the container; whoever publishes the port decides who can reach it.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 SWITCHYARD_DATA=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A new volume takes over the owner of the folder that it is mounted on.
RUN mkdir /data && chown node:node /data && chmod 700 /data
USER node
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "dist/cli/main.js"]
CMD ["serve"]
