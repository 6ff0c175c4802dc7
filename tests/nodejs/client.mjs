// A learner in Node.js, from docs/wire.md alone: asks the pool once, gets tensors, says what they were worth.
// In: ONEIROS_SEAT, an offer made with `supervisor attach NAME --frames`. Out: one JSON line on what came back.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import zlib from "node:zlib";
import * as zmq from "zeromq";
import { Decoder, Encoder } from "@msgpack/msgpack";

const seat = JSON.parse(readFileSync(process.env.ONEIROS_SEAT, "utf8"));
const encoder = new Encoder({ useBigInt64: true });
const decoder = new Decoder({ useBigInt64: true });
const keeper = "pool-keeper";

const inbox = new zmq.Pull({ curveServer: true, curveSecretKey: seat.secret_key, linger: 0 });
await inbox.bind(`ipc://${seat.runtime}/${seat.instance}.in`);
const outlet = new zmq.Push({
  curveServerKey: seat.peers[keeper],
  curvePublicKey: seat.public_key,
  curveSecretKey: seat.secret_key,
  linger: 0,
});
outlet.connect(`ipc://${seat.runtime}/${keeper}.in`);

let seq = 0;
async function ask(kind, body) {
  const predecessor = seq === 0 ? [0, 0] : [seat.epoch, seq];
  seq += 1;
  const now = BigInt(Date.now()) * 1000000n;
  const envelope = [kind, 1, seat.instance, seat.epoch, seq, ...predecessor, now, "", 0, 0, 0, 0];
  await outlet.send([encoder.encode(envelope), encoder.encode(body)]);
  const [head, answer, ...payloads] = await inbox.receive();
  return { kind: decoder.decode(head)[0], body: decoder.decode(answer), payloads };
}

const query_id = randomUUID();
const found = await ask("RetrievalQuery", {
  query_id,
  k: 8,
  mode: "mixed",
  query_signature: [0.8, 0.4, 0.2],
  min_coherence: null,
  max_entropy: null,
  recency_decay: 0.02,
  allow_duplicates: false,
  seed: 1,
  as_of_ns: BigInt(Date.now()) * 1000000n,
  alpha: 0.6,
  exploration: 0.1,
});
const entry_ids = found.body.entries.map((entry) => entry.facts.id);
const batch = await ask("BatchRequest", { query_id, entry_ids });
const unpack = zlib.zstdDecompressSync;
const digests = unpack
  ? batch.payloads.map((blob) => createHash("sha256").update(unpack(blob)).digest("hex"))
  : batch.body.tensor_sha256s.map((digest) => Buffer.from(digest).toString("hex"));
const records = batch.body.entry_ids.map((entry_id, at) => ({
  query_id,
  entry_id,
  utility: at / 10,
  contribution: 0.5,
  notes: "from Node.js",
}));
const receipt = await ask("FeedbackBatch", { batch_id: randomUUID(), records });
const refused = await ask("BatchRequest", { query_id: randomUUID(), entry_ids: [] });

console.log(
  JSON.stringify({
    kinds: [found.kind, batch.kind, receipt.kind, refused.kind],
    dreams: entry_ids.length,
    tensors: batch.payloads.length,
    tensor_bytes: batch.payloads.reduce((sum, blob) => sum + blob.length, 0),
    are_sound: batch.body.tensor_sha256s.every((digest, at) => Buffer.from(digest).toString("hex") === digests[at]),
    stored: Number(receipt.body.stored),
    reason: refused.body.reason,
    golden: Buffer.from(encoder.encode({ request: 3 })).toString("hex"),
  }),
);
outlet.close();
inbox.close();
