// An S3-compatible server, in a process of its own: see s3-server.ts.
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import S3rver from 's3rver';

const [directory = '', bucket = '', lists = ''] = process.argv.slice(2);
const app = new S3rver({ directory, silent: true, vhostBuckets: false, configureBuckets: [{ name: bucket }] });
await app.configureBuckets();
correct(app.store);
const serve = app.callback();
const uploads = app.store.getResourcePath(bucket, undefined, 'uploads');

/**
 * Where s3rver is not like S3.
 *
 * @param {import('s3rver').Store} store
 */
function correct(store) {
  const [getObject, listObjects] = [store.getObject.bind(store), store.listObjects.bind(store)];
  // It takes a range that ends with byte 0 for one without an end.
  store.getObject = (name, key, range) => getObject(name, key, range?.end === 0 ? { ...range, end: Object(0) } : range);
  // It removes the directory in which somebody else begins to write.
  store.deleteObject = async (name, key) => {
    for (const resource of ['metadata.json', 'object.md5', 'object']) {
      rmSync(store.getResourcePath(name, key, resource), { force: true });
    }
  };
  // It lists by directories, goes on by keys, and leaves out what differs.
  store.listObjects = async (name, { startAfter = '', maxKeys, ...which }) => {
    const all = await listObjects(name, { ...which, startAfter: '', maxKeys: Infinity });
    const objects = all.objects.filter(({ key }) => key > startAfter).sort((a, b) => (a.key < b.key ? -1 : 1));
    return { ...all, objects: objects.slice(0, maxKeys), isTruncated: objects.length > maxKeys };
  };
}

/**
 * The two requests of S3 that s3rver does not know (to list uploads, and to abort one), on what it keeps of an upload: a directory with its key and its parts.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
function serveUploads(request, response) {
  const url = new URL(request.url ?? '', 'http://localhost');
  const id = url.searchParams.get('uploadId');
  if (request.method === 'GET' && url.searchParams.has('uploads')) {
    response.setHeader('content-type', 'application/xml');
    response.end(listed(url.searchParams));
    return true;
  }
  if (!id) return false;
  // Parts of it may be on their way, and s3rver dies when their directory is gone.
  const isThere = existsSync(join(uploads, id, 'key'));
  if (request.method === 'DELETE' && isThere) {
    rmSync(join(uploads, id, 'key'));
    response.statusCode = 204;
    response.end();
    return true;
  }
  if (isThere) return false;
  request.resume();
  request.once('end', () => {
    response.statusCode = 404;
    response.end('<Error><Code>NoSuchUpload</Code><Message>There is none.</Message></Error>');
  });
  return true;
}

/** @param {URLSearchParams} asked */
function listed(asked) {
  const after = `${asked.get('key-marker') ?? ''} ${asked.get('upload-id-marker') ?? ''}`;
  const all = (existsSync(uploads) ? readdirSync(uploads) : [])
    .filter((id) => existsSync(join(uploads, id, 'key')))
    .map((id) => ({ id, key: readFileSync(join(uploads, id, 'key'), 'utf8'), at: statSync(join(uploads, id)).ctime }))
    .filter(({ key, id }) => key.startsWith(asked.get('prefix') ?? '') && `${key} ${id}` > after)
    .sort((a, b) => (`${a.key} ${a.id}` < `${b.key} ${b.id}` ? -1 : 1));
  const page = all.slice(0, Number(asked.get('max-uploads') ?? 1000));
  const entries = page.map(
    ({ key, id, at }) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${at.toISOString()}</Initiated></Upload>`,
  );
  const last = page.at(-1);
  const next =
    last && page.length < all.length
      ? `<NextKeyMarker>${last.key}</NextKeyMarker><NextUploadIdMarker>${last.id}</NextUploadIdMarker>`
      : '';
  return `<?xml version="1.0" encoding="UTF-8"?><ListMultipartUploadsResult>
    <IsTruncated>${page.length < all.length}</IsTruncated>${next}${entries.join('')}</ListMultipartUploadsResult>`;
}

const server = createServer((request, response) => {
  if (lists !== 'uploads' || !serveUploads(request, response)) serve(request, response);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`LISTENING ${address !== null && typeof address === 'object' ? address.port : ''}`);
});
