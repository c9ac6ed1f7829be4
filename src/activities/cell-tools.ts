import { Nl2codeError } from '../session/error-table.js';
import type { Request } from '../session/request.js';
import type { SessionFolder } from '../store/session-store.js';
import { ToolBridge, type CellTools } from '../tools/tool-bridge.js';
import type { StepWorld } from './world.js';

/** A worker without tools still answers what was answered before. */
const NO_TOOLS = new ToolBridge([]);

/** The tools of one run of cells of a session. Throws `tool-missing` where the request allows one that this worker does not have. */
export function cellTools({ tools = NO_TOOLS }: Pick<StepWorld, 'tools'>, folder: SessionFolder, session: string, { tools: allowed = [] }: Request): CellTools {
  const missing = allowed.find((name) => !tools.names.includes(name));
  if (missing !== undefined) throw new Nl2codeError('tool-missing', `Code of the session may call the tool ${missing}, which this worker does not have.`);
  return tools.cell({ folder, session, allowed });
}
