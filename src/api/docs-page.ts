// The page at /docs: Swagger UI over /openapi.json. Nest's own page has scripts and styles inside of it, which the
// content security policy does not run; in this one all of them are files.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const FOLDER = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));
const FILES = new Set(['/swagger-ui.css', '/index.css', '/swagger-ui-bundle.js', '/favicon-32x32.png']);

/** Addresses are relative, so that the page also works below a path of a proxy. */
function pageIn(folder: string): string {
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Switchyard API</title>
    <link rel="stylesheet" href="${folder}swagger-ui.css" />
    <link rel="stylesheet" href="${folder}index.css" />
    <link rel="icon" type="image/png" href="${folder}favicon-32x32.png" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${folder}swagger-ui-bundle.js"></script>
    <script src="${folder}start.js"></script>
  </body>
</html>
`;
}

/** Without `validatorUrl` the page would show the description to a server of the makers of Swagger. */
const START = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
  docExpansion: 'list',
  persistAuthorization: false,
  validatorUrl: 'none',
});
`;

export function serveDocsPage(instance: FastifyInstance): void {
  const pages = { '/docs': pageIn('docs/'), '/docs/': pageIn('') };
  for (const [path, page] of Object.entries(pages)) {
    instance.get(path, (_request, reply) => reply.type('text/html; charset=utf-8').send(page));
  }
  instance.get('/docs/start.js', (_request, reply) => {
    return reply.type('text/javascript; charset=utf-8').send(START);
  });
  void instance.register(fastifyStatic, {
    root: FOLDER,
    prefix: '/docs/',
    decorateReply: false,
    index: false,
    allowedPath: (path) => FILES.has(path),
  });
}
