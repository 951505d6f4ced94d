#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace slim::addon {

/// dlopen of the library whose file would hold `contents`; null where that fails, and then `error` says why. It lies in
/// memory that has no name in any folder: nothing is left behind, and nobody else can replace what is opened. For the
/// life of the process. Linux alone has it.
void* OpenLibraryInMemory(std::span<const uint8_t> contents, std::string& error);

}  // namespace slim::addon
