/** What is read of a file that is open. */
export interface ReadFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
}

/** What is written to a file that is open. */
export interface WrittenFile {
  write(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesWritten: number }>;
}

const CHUNK_BYTES = 1 << 20;

/** The first `bytes` of a file that is open, from its start, whatever becomes of it meanwhile. Throws where it has become shorter. */
export async function* chunksOf(file: ReadFile, bytes: number, close = false): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < bytes; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytes - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) throw new Error(`A file of ${bytes} bytes ended after ${at} while it was copied.`);
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  } finally {
    if (close) await file.close();
  }
}

/** Writes chunks one after another and returns how many bytes they were; stops past `most`. */
export async function writeAll(file: WrittenFile, chunks: AsyncIterable<Uint8Array>, most: number): Promise<number> {
  let written = 0;
  for await (const chunk of chunks) {
    if (written + chunk.length > most) throw new Error(`There are more than the ${most} bytes that were said.`);
    for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
    written += chunk.length;
  }
  return written;
}
