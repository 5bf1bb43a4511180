import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What the rules of the house look at, read from a file's syntax; nothing is executed. */
export interface Facts {
  /** Path from the root of the project, with `/`: `src/core/naming.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** String literals and the beginnings of templates. */
  readonly texts: readonly string[];
  /** Names used and members taken, as `process`, `Date.now`, `process.env`. */
  readonly uses: ReadonlySet<string>;
  /** Classes that extend Error or something whose name ends so. */
  readonly errorClasses: readonly string[];
  readonly hasDefaultExport: boolean;
}

export interface Import {
  /** As written, unless it is a file of ours: then that file's path, `src/core/naming.ts`. */
  readonly target: string;
  readonly isTypeOnly: boolean;
}

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What is not ours or not kept: as .gitignore says, and git's own folder. */
const NOT_OURS = new Set(['.git', 'node_modules', 'dist', '.closehaul', 'coverage', '.env']);

/** Every file of the project, or of a folder in it. */
export function filesIn(folder: string): string[] {
  const found: string[] = [];
  for (const name of readdirSync(join(ROOT, folder))) {
    if (NOT_OURS.has(name) || name.endsWith('.tsbuildinfo')) continue;
    const path = join(folder, name);
    if (statSync(join(ROOT, path)).isDirectory()) found.push(...filesIn(path));
    else found.push(path.split(sep).join('/'));
  }
  return found.sort();
}

export function readProject(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function factsOf(path: string, text = readProject(path)): Facts {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const imports: Import[] = [];
  const texts: string[] = [];
  const uses = new Set<string>();
  const errorClasses: string[] = [];
  let hasDefaultExport = false;

  const visit = (node: ts.Node): void => {
    const imported = importOf(node, path);
    if (imported !== undefined) imports.push(imported);
    else if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) texts.push(node.text);
    if (ts.isClassDeclaration(node) && extendsError(node)) {
      errorClasses.push(node.name?.text ?? 'a class without a name');
    }
    if (isDefaultExport(node)) hasDefaultExport = true;
    for (const use of usesOf(node)) uses.add(use);
    // The path of an import is no text of the program.
    if (imported === undefined || !ts.isImportDeclaration(node)) ts.forEachChild(node, visit);
  };
  ts.forEachChild(source, visit);
  const lines = text.split('\n').length - 1;
  return { path, text, lines, imports, texts, uses, errorClasses, hasDefaultExport };
}

function importOf(node: ts.Node, path: string): Import | undefined {
  if (ts.isImportDeclaration(node)) {
    const clause = node.importClause;
    return targetOf(node.moduleSpecifier, path, clause !== undefined && isTypeOnly(clause));
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return targetOf(node.moduleSpecifier, path, node.isTypeOnly);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return targetOf(node.argument.literal, path, true);
  }
  const isDynamic =
    ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  return isDynamic ? targetOf(node.arguments[0], path, false) : undefined;
}

function isTypeOnly(clause: ts.ImportClause): boolean {
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const { name, namedBindings } = clause;
  if (name !== undefined || namedBindings === undefined) return false;
  return (
    ts.isNamedImports(namedBindings) && namedBindings.elements.every((each) => each.isTypeOnly)
  );
}

function targetOf(
  specifier: ts.Node | undefined,
  path: string,
  isTypeOnlyImport: boolean,
): Import | undefined {
  if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return undefined;
  const { text } = specifier;
  const target = text.startsWith('.')
    ? normalize(join(dirname(path), text))
        .split(sep)
        .join('/')
        .replace(/\.js$/, '.ts')
    : text;
  return { target, isTypeOnly: isTypeOnlyImport };
}

function extendsError(node: ts.ClassDeclaration): boolean {
  const parents = node.heritageClauses?.flatMap((clause) => [...clause.types]) ?? [];
  return parents.some(({ expression }) => /Error$/.test(expression.getText()));
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === 'default';
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  );
}

/** `Date.now`, `process.env` for members; a bare name; `new Date` when it takes the clock's time. */
function usesOf(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node))
    return [`${node.expression.getText()}.${node.name.text}`];
  if (ts.isNewExpression(node)) {
    const name = node.expression.getText();
    return [(node.arguments?.length ?? 0) === 0 ? `new ${name}()` : `new ${name}(…)`];
  }
  return ts.isIdentifier(node) && isValue(node) ? [node.text] : [];
}

/** True for a name that stands for a value: no member, no key of an object, no type. */
function isValue(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !ts.isTypeNode(parent) && !ts.isTypeElement(parent) && !ts.isClassElement(parent);
}
