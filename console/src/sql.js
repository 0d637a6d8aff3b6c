// POST /api/sql: statements in, rows as objects out.  The only way by which these pages read the process, but /metrics.

/** @typedef {{ name: string, type_oid: number }} Described */
/** @typedef {{ tag: string, columns: Described[], rows: any[][] }} Result */
/** @typedef {{ error: { message: string, code: string } }} Failed */
/** @typedef {Record<string, any>} Row */

// Types whose values come as text and are numbers: int2, int4, int8, float4, float8, numeric.
const NUMBERS = new Set([20, 21, 23, 700, 701, 1700]);
const PATIENCE = 120_000;

/** What the server said instead of a result. */
export class SqlError extends Error {
  /** @param {string} message @param {string} [code] the SQLSTATE, where there is one */
  constructor(message, code = "") {
    super(message);
    this.code = code;
  }
}

/**
 * What each statement answered, in order; those after one that failed are missing, as the server does not run them.
 *
 * @param {string | string[]} statements a text with any number of statements, or a list of single ones
 * @param {AbortSignal} [signal]
 * @param {string} [at] the path of another process, as `/clusters` links to it without its last slash
 * @returns {Promise<(Result | Failed)[]>}
 */
export async function ask(statements, signal, at = "") {
  const limit = AbortSignal.timeout(PATIENCE);
  const response = await fetch(`${at}/api/sql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(
      typeof statements === "string" ? { query: statements } : { queries: statements.map((query) => ({ query })) },
    ),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  });
  if (!response.ok) throw new SqlError(await refusal(response));
  return (await response.json()).results.map(read);
}

/** The rows of each statement.  Throws what the first bad one says. @param {...string} statements @returns {Promise<Row[][]>} */
export function query(...statements) {
  return queryAt("", ...statements);
}

/** The same of another process. @param {string} at as of `ask` @param {...string} statements @returns {Promise<Row[][]>} */
export async function queryAt(at, ...statements) {
  const results = await ask(statements, undefined, at);
  return results.map((result) => {
    if ("error" in result) throw new SqlError(result.error.message, result.error.code);
    return objects(result);
  });
}

/** @param {any} result @returns {Result | Failed} */
export function read(result) {
  if (result.error) return result;
  return { tag: result.tag ?? result.ok ?? "", columns: result.desc?.columns ?? [], rows: result.rows ?? [] };
}

/** Rows as objects, numbers as numbers. @param {Result} result @returns {Row[]} */
export function objects({ columns, rows }) {
  return rows.map((row) => Object.fromEntries(columns.map(({ name, type_oid }, at) => [name, cell(row[at], type_oid)])));
}

/** @param {any} value @param {number} type */
function cell(value, type) {
  return typeof value === "string" && NUMBERS.has(type) ? Number(value) : value;
}

/** Why the server did not even try. @param {Response} response */
async function refusal(response) {
  const text = (await response.text()).trim();
  if (response.status === 401 || response.status === 403) return "You are not logged in, or may not use SQL here.";
  if (response.status === 404) return "This listener does not serve /api/sql.";
  if (text === "adapter client missing") return "There is no SQL engine: the process runs without the extra `duckdb`.";
  return text || `The server answered ${response.status}.`;
}
