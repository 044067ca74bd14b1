/** How the index of the search is made and read: both sides must agree. */
export const SEARCH = {
  fields: ['page', 'heading', 'text'],
  storeFields: ['page', 'heading'],
  searchOptions: { prefix: true, fuzzy: 0.15, combineWith: 'AND', boost: { heading: 3, page: 2 } },
};
