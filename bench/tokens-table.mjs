const count = (n) => n.toLocaleString('en-US');
const dollars = (value) => `$${value.toFixed(3)}`;
const percent = (share) => `${Math.round(share * 100)} %`;

const HEAD = ['', 'result', 'steps', 'calls', 'prompt', 'of it cached', 'completion', 'largest prompt', 'cost', 'with a cache'];
const row = (name, seen) => [name, seen.status, String(seen.steps), String(seen.calls), count(seen.promptTokens), percent(seen.cachedShare), count(seen.completionTokens), count(seen.largestPromptTokens), dollars(seen.costUsd), dollars(seen.costCachedUsd)];

/** Prints the figures of `npm run bench -- tokens` for people. */
export function tokensTable({ strategies, handAnswered, pricedAs, price, pricesAsOf }) {
  const article = (seen) => (seen ? [seen.calls, seen.contextTokens === null ? 'not told' : `~${count(seen.contextTokens)}`, `$${seen.costUsd.toFixed(2)}`] : ['none', 'none', 'none']);
  console.log(`The lookalike request, played by the scripted model: tokens at 4 characters each, priced as if ${pricedAs} had answered`);
  console.log(`(US dollars per million: ${price.prompt} prompt, ${price.cached} cached, ${price.completion} completion; list prices of ${pricesAsOf})\n`);
  print([[...HEAD, 'article: calls', 'context', 'cost'], ...Object.entries(strategies).map(([name, seen]) => [...row(name, seen), ...article(seen.article)])]);
  console.log("\nThe article's columns are its author's own figures: averages over five requests (n = 1 to 5, one run), told without how they were counted.");
  console.log("Written conversations are as long as their writer made them: between strategies compare how prompts grow, never which one is more able.");
  if (handAnswered.length === 0) return;
  console.log("\nAnswered by hand, from nothing but what a model is sent; tokens as the endpoint counted or estimated them\n");
  print([['trace', 'strategy', ...HEAD.slice(1)], ...handAnswered.map((seen) => [seen.trace.replace('.hand-answered', '').replace('.jsonl', ''), seen.strategy, ...row('', seen).slice(1)])]);
}

function print(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((each) => each[i].length)));
  for (const each of rows) console.log(each.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd());
}
