#pragma once

#include <napi.h>

#include <memory>

#include "addon/engine.h"
#include "program/dataset.h"

namespace slim::addon {

/// What the addon keeps for one JavaScript environment (the main thread's, or a worker's).
struct State {
  std::shared_ptr<EngineRegistry> engines = std::make_shared<EngineRegistry>();
  Napi::FunctionReference model_class;
  Napi::FunctionReference dataset_class;

  // Handed to a class' constructor by the function that creates its objects; a constructor that is called by anyone
  // else finds nothing here and throws.
  std::shared_ptr<Engine> new_engine;
  std::shared_ptr<Dataset> new_dataset;
};

}  // namespace slim::addon
