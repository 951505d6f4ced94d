const SCAN = new Set(['LSTM10', 'LSTM11', 'LSTM_C6']);

/**
 * Which goals hold for a variant: those of the standard LSTM, of full gates without input, of slim gates, or of no product
 * from step to step.
 */
export function family(variant) {
  if (SCAN.has(variant)) return 'scan';
  if (variant === 'LSTM') return 'standard';
  return variant === 'LSTM1' || variant === 'LSTM2' ? 'wide' : 'slim';
}
