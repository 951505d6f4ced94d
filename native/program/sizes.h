#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

/// Sizes of a model, checked. Nothing in a specification is trusted, so every product of sizes that reaches a device or
/// an allocation goes through here first.
namespace slim {

/// No size of a layer and no dimension of an array is above this.
inline constexpr int64_t kLargestDimension = (int64_t{1} << 31) - 1;

/// No array has more elements than this: 256 TiB of floats, beyond any machine and far enough below 2^63 that a device
/// may add up and scale such sizes without care.
inline constexpr int64_t kMostElements = int64_t{1} << 46;

/// Throws Error (kInvalidModel): `text`, and which layer it is about.
[[noreturn]] void RejectLayer(const std::string& layer, const std::string& text);

/// `value`, which must lie in [1, kLargestDimension]; otherwise throws Error (kInvalidModel) naming the layer.
int64_t CheckedSize(const std::string& layer, const char* name, int64_t value);

/// The product of sizes that are not negative; throws Error (kInvalidModel) naming the layer and what it is the size of
/// where it is above kMostElements.
int64_t CheckedElements(const std::string& layer, const char* what, std::initializer_list<int64_t> factors);
int64_t CheckedElements(const std::string& layer, const char* what, const std::vector<int64_t>& factors);

/// Such as "[128, 1000]".
std::string ShapeText(const std::vector<int64_t>& shape);

/// Such as "1.5 GiB (1610612736 bytes)".
std::string BytesText(uint64_t bytes);

}  // namespace slim
