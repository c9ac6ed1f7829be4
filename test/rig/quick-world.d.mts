import type { World } from '../../src/world.js';

export function quickWorld(world: World, pauseMs?: number): World;
