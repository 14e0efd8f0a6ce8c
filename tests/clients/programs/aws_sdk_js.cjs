// aws-sdk-js v3, speaking as tests/clients/programs/__main__.py does: its version, then a line of JSON for each operation.
"use strict";

const { createHash } = require("node:crypto");
const readline = require("node:readline");
const { GetObjectCommand, HeadObjectCommand, S3Client, paginateListObjectsV2 } = require("@aws-sdk/client-s3");

const place = JSON.parse(process.argv[2]);
const client = new S3Client({
  endpoint: place.endpoint,
  region: place.region,
  credentials: { accessKeyId: place.access_key_id, secretAccessKey: place.secret },
  forcePathStyle: true,
  maxAttempts: 1,
});
const Bucket = place.bucket;

async function listed(pageSize) {
  const found = {};
  for await (const page of paginateListObjectsV2({ client, pageSize }, { Bucket, Prefix: "logs/" })) {
    for (const entry of page.Contents) found[entry.Key] = entry.Size;
  }
  return found;
}

async function got(Key, Range) {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
  return answer.Body.transformToByteArray();
}

function digest(...parts) {
  const hash = createHash("sha256");
  parts.forEach((part) => hash.update(part));
  return hash.digest("hex");
}

async function ofEach(read) {
  const found = {};
  for (const [key, size] of Object.entries(await listed(1000))) found[key] = await read(key, size);
  return found;
}

const OPERATIONS = {
  "paginateListObjectsV2, 5 a page": () => listed(5),
  HeadObject: () => ofEach(async (Key) => (await client.send(new HeadObjectCommand({ Bucket, Key }))).ContentLength),
  GetObject: () => ofEach(async (key) => digest(await got(key))),
  "GetObject in two ranges": () =>
    ofEach(async (key, size) => {
      const half = size >> 1;
      return half ? digest(await got(key, `bytes=0-${half - 1}`), await got(key, `bytes=${half}-`)) : digest(await got(key));
    }),
};

function tell(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function main() {
  tell({ version: require("@aws-sdk/client-s3/package.json").version });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      tell({ value: await OPERATIONS[line]() });
    } catch (error) {
      tell({ error: String(error) });
    }
  }
}

main();
