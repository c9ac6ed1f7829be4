const COMMON = new Set(
  (
    'the and for of in to is it an a at by on or as be no not if so we he me my us do go up you all are was has had but can may will one two new old out ' +
    'from with this that than then them they their there here have been were what when who how der die das und von zu im den dem des ein eine de la le ' +
    'les du et el los y e da dos di del al van st mr mrs ms dr co inc ltd gmbh index name row rows column columns type true false none nan null dtype length'
  ).split(' '),
);

/** Whether a word stands in every text and so tells nothing by itself. Pure. */
export function isCommon(word: string): boolean {
  return COMMON.has(word);
}
