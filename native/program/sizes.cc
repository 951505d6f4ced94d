#include "program/sizes.h"

#include <cstdio>

#include "errors.h"

namespace slim {
namespace {

int64_t Checked(const std::string& layer, const char* what, const int64_t* factors, size_t count) {
  int64_t product = 1;
  for (size_t i = 0; i < count; ++i) {
    if (factors[i] != 0 && product > kMostElements / factors[i]) {
      RejectLayer(layer, std::string("Expected at most 2^46 elements for ") + what + " but received the shape " +
                             ShapeText(std::vector<int64_t>(factors, factors + count)));
    }
    product *= factors[i];
  }
  return product;
}

}  // namespace

void RejectLayer(const std::string& layer, const std::string& text) {
  throw Error(ErrorCode::kInvalidModel, text + " (layer " + layer + ")");
}

int64_t CheckedSize(const std::string& layer, const char* name, int64_t value) {
  if (value < 1 || value > kLargestDimension) {
    RejectLayer(layer, std::string("Expected an integer from 1 to 2147483647 for ") + name + " but received " +
                           std::to_string(value));
  }
  return value;
}

int64_t CheckedElements(const std::string& layer, const char* what, std::initializer_list<int64_t> factors) {
  return Checked(layer, what, factors.begin(), factors.size());
}

int64_t CheckedElements(const std::string& layer, const char* what, const std::vector<int64_t>& factors) {
  return Checked(layer, what, factors.data(), factors.size());
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string BytesText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double scaled = static_cast<double>(bytes);
  int unit = 0;
  while (scaled >= 1024 && unit < 6) scaled /= 1024, ++unit;
  if (unit == 0) return std::to_string(bytes) + " bytes";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %s (%llu bytes)", scaled, kUnits[unit],
                static_cast<unsigned long long>(bytes));
  return text;
}

}  // namespace slim
