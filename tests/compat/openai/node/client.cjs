// OpenAI's own Node client against a server: prints what it got as one JSON object.
const fs = require("node:fs");
const OpenAI = require("openai");

const { BASE_URL, KEY, FILE } = process.env;
const client = new OpenAI({ apiKey: KEY, baseURL: BASE_URL, maxRetries: 0 });
const transcribe = (options) =>
  client.audio.transcriptions.create({ file: fs.createReadStream(FILE), model: "whisper-1", ...options });

const failure = async (request) => {
  try {
    await request();
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, id: error.requestID };
  }
};

const streamed = async () => {
  const kinds = [];
  let text = "";
  for await (const event of await transcribe({ model: "gpt-4o-transcribe", stream: true })) {
    kinds.push(event.type);
    text = event.text ?? text;
  }
  return { kinds, text };
};

const main = async () => {
  const upload = await OpenAI.toFile(fs.readFileSync(FILE), "clip.flac", { type: "audio/flac" });
  const wrong = new OpenAI({ apiKey: "wrong", baseURL: BASE_URL, maxRetries: 0 });
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  return {
    json: await transcribe({}),
    buffer: await transcribe({ file: upload }),
    verbose: await transcribe({
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    }),
    srt: await transcribe({ response_format: "srt" }),
    diarized: await transcribe({ model: "gpt-4o-transcribe-diarize", response_format: "diarized_json" }),
    streamed: await streamed(),
    models,
    model: await client.models.retrieve("whisper-1"),
    failures: {
      key: await failure(() => wrong.models.list()),
      model: await failure(() => transcribe({ model: "gpt-9" })),
      sound: await failure(async () =>
        transcribe({ file: await OpenAI.toFile(Buffer.from("no sound"), "a.mp3") })),
    },
  };
};

main().then((found) => console.log(JSON.stringify(found)));
