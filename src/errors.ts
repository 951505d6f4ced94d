/**
 * The errors this package throws. Every one extends {@link SlimLstmError} and carries a stable `code`, which programs
 * may compare; the message is for people and may change.
 */

/** What all errors of this package have in common. */
export class SlimLstmError extends Error {
  /** A stable name for the kind of failure, such as `ERR_INVALID_ARGUMENT`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An option or argument is not what the function takes: wrong type, out of range, an unknown name. */
export class InvalidArgumentError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_INVALID_ARGUMENT', message, options);
  }
}

/** Layers do not fit together: a shape, a mask or a name that the next layer cannot take. */
export class InvalidModelError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_INVALID_MODEL', message, options);
  }
}

/** Data for a model is unusable: a token id out of range, NaN, a label that is no class, an empty document. */
export class InvalidDataError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_INVALID_DATA', message, options);
  }
}

/**
 * A file's content breaks its format. `code` names the violation, one code for each,
 * such as `ERR_SAFETENSORS_OFFSET_OVERLAP` or `ERR_ARCHIVE_PATH`.
 */
export class InvalidFileError extends SlimLstmError {}

/** A file could not be read or written: missing, no permission, disk full. `cause` holds the system's error. */
export class FileAccessError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FILE_ACCESS', message, options);
  }
}

/** The object was used after `dispose()`. */
export class DisposedError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DISPOSED', message, options);
  }
}

/** The model is already running a `fit`, `evaluate`, `predict` or `gradients`. */
export class BusyError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_BUSY', message, options);
  }
}

/** The device asked for cannot be used; the message says why and what to do. */
export class DeviceError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DEVICE', message, options);
  }
}

/** Memory that the work needs cannot be had; the message gives the bytes asked for. */
export class OutOfMemoryError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_OUT_OF_MEMORY', message, options);
  }
}

/** The native addon cannot be loaded; the message says what was tried and how to mend it. */
export class NativeLoadError extends SlimLstmError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NATIVE_LOAD', message, options);
  }
}
