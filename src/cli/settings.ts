/** The settings of recipes as options of the command line: no defaults of their own, since those are the recipe's. */

import { type Command, Option } from 'commander';
import { InvalidArgumentError } from '../errors.js';
import { FIRST_LEARNING_RATE } from '../experiments/loss-schedule.js';
import type { Recipe, Settings } from '../experiments/recipe.js';
import { recipes } from '../experiments/recipes.js';
import { variants } from '../variants.js';
import { finiteNumber, fraction, naturalNumber, positiveInteger, positiveNumber } from './values.js';

const gateActivations: Readonly<Record<string, Settings['recurrentActivation']>> = {
  sigmoid: 'sigmoid',
  'hard-sigmoid': 'hardSigmoid',
};

/** One of a few names; what it stands for in a recipe where that is another word. */
function named(flags: string, description: string, names: readonly string[]): Option {
  return new Option(flags, description).choices(names);
}

function number<Value>(flags: string, description: string, read: (text: string) => Value): Option {
  return new Option(flags, description).argParser(read);
}

/** Those of all recipes, in the order of the help. */
function settingOptions(): Option[] {
  return [
    new Option(
      '--variant <name or file>',
      `the LSTM: ${Object.keys(variants).join(', ')}, or one of your own as a .json file`,
    ),
    number('--forget-constant <number>', 'of a variant whose forget gate is constant, such as LSTM6', finiteNumber),
    named('--activation <name>', "the LSTM's", ['tanh', 'linear', 'sigmoid', 'relu', 'softmax']),
    named('--recurrent-activation <name>', "the LSTM's gates'", Object.keys(gateActivations)),
    named('--compatibility <code>', 'whose initial weights', ['keras', 'slim22', 'lu2016']),
    number('--units <count>', 'of the LSTM, of each direction where it has two', positiveInteger),
    number('--dropout <rate>', "of the LSTM's input", fraction),
    number('--recurrent-dropout <rate>', "of the LSTM's recurrent operand", fraction),
    named('--optimizer <name>', 'how weights are updated', ['sgd', 'rmsprop', 'adam', 'adamw']),
    number('--epsilon <number>', 'of rmsprop, adam and adamw', positiveNumber),
    number('--learning-rate <number>', 'the step size', positiveNumber),
    named(
      '--learning-rate-schedule <name>',
      `loss: ${FIRST_LEARNING_RATE} in the first epoch, then --learning-rate times exp(training loss)`,
      ['constant', 'loss'],
    ),
    number('--epochs <count>', 'how often to see all data', positiveInteger),
    number('--batch-size <count>', 'samples a step', positiveInteger),
    number('--patience <epochs>', 'end after so many without a better validation loss', naturalNumber),
    number('--max-length <tokens>', 'the last so many tokens of a document are read', positiveInteger),
    number('--num-words <count>', 'vocabulary, padding included', positiveInteger),
    number('--embedding-size <count>', 'width of an embedding that is not read from --vectors', positiveInteger),
    number('--embedding-dropout <rate>', 'after the embedding', fraction),
    number('--filters <count>', 'of each convolution', positiveInteger),
    number('--convolution-dropout <rate>', 'after each pool', fraction),
    number('--validation-split <fraction>', 'held back, chosen by the seed', fraction),
    new Option('--vectors <file>', "word vectors as GloVe's text (.gz too), kept frozen; without them they are learnt"),
  ];
}

/** Adds `--recipe` and all settings, and to the help the table of their defaults. */
export function addSettings(command: Command): Command {
  const group = 'Experiment (defaults of the recipes below):';
  command.addOption(
    new Option('--recipe <name>', 'the experiment')
      .choices(recipes.map(({ name }) => name))
      .default(recipes[0].name)
      .helpGroup(group),
  );
  for (const option of settingOptions()) command.addOption(option.helpGroup(group));
  return command.addHelpText('after', () => `\n${recipeList()}\n\n${defaultsTable()}`);
}

/**
 * The recipe's settings with what was given in place of its defaults.
 *
 * @throws InvalidArgumentError for what the recipe has no use for.
 */
export function settingsFor(recipe: Recipe, given: Readonly<Record<string, unknown>>): Settings {
  const settings: Record<string, unknown> = { ...recipe.defaults };
  for (const option of settingOptions()) {
    const name = option.attributeName();
    const value = given[name];
    if (value === undefined) continue;
    if (!Object.hasOwn(recipe.defaults, name)) {
      throw new InvalidArgumentError(
        `Expected no ${option.long} for the recipe ${recipe.name}, which has no use for it`,
      );
    }
    settings[name] = name === 'recurrentActivation' ? gateActivations[value as string] : value;
  }
  if (settings.optimizer === 'sgd' && given.epsilon !== undefined) {
    throw new InvalidArgumentError('Expected no --epsilon for the optimizer sgd, which has no use for it');
  }
  return settings as unknown as Settings;
}

function recipeList(): string {
  const width = Math.max(...recipes.map(({ name }) => name.length));
  return ['Recipes:', ...recipes.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)].join('\n');
}

function defaultsTable(): string {
  const rows = settingOptions().map((option) => [
    option.long ?? '',
    ...recipes.map(({ defaults }) => inWords(defaults, option.attributeName())),
  ]);
  const table = [['Defaults:', ...recipes.map(({ name }) => name)], ...rows];
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
    .replace('  Defaults:', 'Defaults:  ');
}

/** A dash where the recipe has no such setting, `none` where it is off. */
function inWords(defaults: object, name: string): string {
  if (!Object.hasOwn(defaults, name)) return '-';
  const value = (defaults as Record<string, unknown>)[name];
  if (value === 'hardSigmoid') return 'hard-sigmoid';
  return value === undefined ? 'none' : String(value);
}
