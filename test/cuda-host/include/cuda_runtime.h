// Stands in for the CUDA toolkit's header of this name where kernels are compiled with the ordinary C++ compiler: the
// part of the runtime's interface and of the device's language that native/cuda uses, on a host emulation of CUDA's
// execution model (emulation/). What is not declared here is not used, or not allowed: there is no atomicAdd of floats,
// whose order of summation nobody can tell.
#pragma once

#include "emulation/device_language.h"
#include "emulation/runtime_api.h"
