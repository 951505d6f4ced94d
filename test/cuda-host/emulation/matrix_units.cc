// mma.sync on the fragments that PTX's manual draws: every lane brings its part of both operands and of the sums.

#include <bit>
#include <cstring>

#include "emulation/grid_state.h"
#include "emulation/thread_operations.h"

namespace emulated {
namespace {

constexpr int kRows = 16, kColumns = 8;

struct LanePart {
  float sums[4];
  uint32_t a[4];
  uint32_t b[2];
};
static_assert(sizeof(LanePart) <= kExchangeBytes);

float FromTf32(uint32_t bits) { return std::bit_cast<float>(bits & ~0x1FFFu); }
float FromBf16(uint32_t half) { return std::bit_cast<float>(half << 16); }

// Visits each lane's elements of the sums: (row, column, lane, part).
template <class Visit>
void ForEachSum(const Visit& visit) {
  for (int lane = 0; lane < kWarpLanes; ++lane) {
    for (int part = 0; part < 4; ++part) {
      visit(lane / 4 + (part >= 2 ? 8 : 0), lane % 4 * 2 + part % 2, lane, part);
    }
  }
}

template <int kDepth, class Read>
void Multiply(const char* kind, float* sums, const uint32_t* a, const uint32_t* b, const Read& read,
              const Place& place) {
  NeedCapability(80, kind);
  LanePart own;
  std::memcpy(own.sums, sums, sizeof(own.sums));
  std::memcpy(own.a, a, sizeof(own.a));
  std::memcpy(own.b, b, sizeof(own.b));
  MeetInWarp(
      kind, 0xFFFFFFFFu, &own, sizeof(own), sums, sizeof(own.sums),
      [&read](const std::byte(*in)[kExchangeBytes], std::byte(*out)[kExchangeBytes]) {
        LanePart parts[kWarpLanes];
        for (int lane = 0; lane < kWarpLanes; ++lane) std::memcpy(&parts[lane], in[lane], sizeof(LanePart));
        float left[kRows][kDepth], right[kDepth][kColumns];
        read(parts, left, right);
        float results[kWarpLanes][4];
        ForEachSum([&](int row, int column, int lane, int part) {
          double sum = parts[lane].sums[part];
          for (int k = 0; k < kDepth; ++k) sum += static_cast<double>(left[row][k]) * right[k][column];
          results[lane][part] = static_cast<float>(sum);
        });
        for (int lane = 0; lane < kWarpLanes; ++lane) std::memcpy(out[lane], results[lane], sizeof(results[lane]));
      },
      place);
}

}  // namespace

void MultiplyAddTf32(float* sums, const uint32_t* a, const uint32_t* b, const Place& place) {
  Multiply<8>(
      "tf32 product", sums, a, b,
      [](const LanePart* parts, float(*left)[8], float(*right)[kColumns]) {
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          const int g = lane / 4, t = lane % 4;
          for (int i = 0; i < 4; ++i) left[g + i % 2 * 8][t + i / 2 * 4] = FromTf32(parts[lane].a[i]);
          for (int i = 0; i < 2; ++i) right[t + i * 4][g] = FromTf32(parts[lane].b[i]);
        }
      },
      place);
}

void MultiplyAddBf16(float* sums, const uint32_t* a, const uint32_t* b, const Place& place) {
  Multiply<16>(
      "bfloat16 product", sums, a, b,
      [](const LanePart* parts, float(*left)[16], float(*right)[kColumns]) {
        for (int lane = 0; lane < kWarpLanes; ++lane) {
          const int g = lane / 4, t = lane % 4;
          for (int half = 0; half < 2; ++half) {
            for (int i = 0; i < 4; ++i) {
              left[g + i % 2 * 8][2 * t + half + i / 2 * 8] = FromBf16(parts[lane].a[i] >> (16 * half) & 0xFFFFu);
            }
            for (int i = 0; i < 2; ++i) {
              right[2 * t + half + i * 8][g] = FromBf16(parts[lane].b[i] >> (16 * half) & 0xFFFFu);
            }
          }
        }
      },
      place);
}

}  // namespace emulated
