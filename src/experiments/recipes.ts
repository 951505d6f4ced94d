import { imdbLu } from './imdb-lu.js';
import { imdbSlim } from './imdb-slim.js';
import { kentSalemRecipe } from './kent-salem.js';
import { mnistPixels, mnistRows } from './mnist.js';
import type { Recipe } from './recipe.js';

/** The published experiments; the first is the one that is run where none is named. */
export const recipes: readonly [Recipe, ...Recipe[]] = [kentSalemRecipe, mnistRows, mnistPixels, imdbSlim, imdbLu];

export function recipeNamed(name: string): Recipe | undefined {
  return recipes.find((recipe) => recipe.name === name);
}
