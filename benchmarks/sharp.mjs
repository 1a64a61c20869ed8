// One image from standard input to standard output by sharp, as build plugins call it: its defaults, and quality 80.
// Standard error gets the processor time in seconds, node's own start left out.
import { createRequire } from "node:module";
import path from "node:path";

const sharp = createRequire(path.resolve(process.argv[2], "x.js"))("sharp");
const options = {
  jpeg: { quality: 80, mozjpeg: true },
  png: { quality: 80, palette: true },
  webp: { quality: 80 },
  gif: {},
};
sharp.concurrency(1);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const begun = process.cpuUsage();
const image = sharp(Buffer.concat(chunks), { animated: true });
const { format } = await image.metadata();
const result = await image.toFormat(format, options[format]).toBuffer();
const used = process.cpuUsage(begun);
process.stderr.write(String((used.user + used.system) / 1e6));
process.stdout.write(result);
