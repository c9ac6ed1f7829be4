import type { Price } from '../config.js';
import type { Pack } from '../context/pack.js';
import type { Kernels } from '../kernel/kernels.js';
import type { ModelEndpoint } from '../model/endpoint.js';
import type { Exposure } from '../session/exposure.js';
import type { Checkpoints } from '../sandbox/checkpoints.js';
import type { SessionStore } from '../store/session-store.js';
import type { ToolBridge } from '../tools/tool-bridge.js';
import type { Verifier } from '../verification/verify.js';

/** Everything outside that activities touch. One per worker process. */
export interface StepWorld {
  store: SessionStore;
  endpoint: ModelEndpoint;
  /** Price of a model, undefined when unknown. */
  priceOf(model: string): Price | undefined;
  maxOutputTokens: number;
  kernels: Kernels;
  verifier: Verifier;
  /** Reads a context pack by name; throws `bad-request` for an unknown or malformed one. */
  pack(name: string): Promise<Pack>;
  /** Ships saved states of kernels to where other hosts have them too; absent where they stay on this machine. */
  checkpoints?: Checkpoints;
  leaseMs: number;
  /** What a request may show a model at most, by the operator's word. */
  maxExposure: Exposure;
  /** Tools that code in a cell may call; absent where the worker has none. */
  tools?: ToolBridge;
  /** Called when the worker polls: what can wait, such as keeping sandboxes warm, starts here and not before. */
  ready?(): void;
}
