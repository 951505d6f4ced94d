#include <algorithm>
#include <string>

#include "cuda/context.h"
#include "cuda/cudnn.h"
#include "cuda/launch.h"
#include "cuda/memory_operations.h"
#include "cuda/placement.h"
#include "cuda/recurrence_choice.h"
#include "cuda/recurrence_cudnn.h"
#include "cuda/token_groups.h"
#include "errors.h"

namespace slim::cuda {
namespace {

constexpr int kThreads = 256;

/// Positions [B, T] to turns and back: the same ones, or of each sequence the last first.
struct Turns {
  int64_t steps;
  bool reverse;

  __host__ __device__ int64_t operator()(int64_t position) const {
    return reverse ? position + steps - 1 - 2 * (position % steps) : position;
  }
};

/// Rows whose strides count floats; row r of the source is that of the token index[r] where there is an index.
struct RowMove {
  const float* from;
  int64_t from_stride;
  const int32_t* index;
  float* to;
  int64_t to_stride;
  int64_t width;
};

template <bool kAdd>
__global__ void __launch_bounds__(kThreads) MoveRowsKernel(int64_t positions, Turns turns, RowMove move) {
  const int64_t count = positions * move.width;
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; at < count; at += threads) {
    const int64_t position = at / move.width, i = at % move.width;
    const int64_t turn = turns(position);
    const int64_t row = move.index == nullptr ? turn : move.index[turn];
    const float value = move.from[row * move.from_stride + i];
    float& to = move.to[position * move.to_stride + i];
    to = kAdd ? to + value : value;
  }
}

/// How a layer's operands lie beside what cuDNN takes.
struct Layout {
  Layout(const RecurrenceShape& shape, int64_t batch, bool embedded)
      : positions(batch * shape.steps),
        inputs(shape.inputs),
        units(shape.units),
        turns{shape.steps, shape.reverse},
        embedded(embedded),
        moves_inputs(embedded || shape.reverse),
        moves_states(shape.reverse && shape.return_sequences && shape.align_output) {}

  int64_t positions, inputs, units;
  Turns turns;
  bool embedded;
  bool moves_inputs;  // x is gathered, or turned round
  bool moves_states;  // the states, and their gradients, are turned round
};

/// The arrays of both passes; cuDNN's own scratch memory comes last, as its size is known for the largest batch alone.
struct Memory {
  Memory(const Layout& layout, bool training, void* memory)
      : placement(memory),
        x(Rows(layout.moves_inputs, layout.positions * layout.inputs)),
        states(Rows(layout.moves_states, layout.positions * layout.units)),
        dx(Rows(training, layout.positions * layout.inputs)),
        token_groups(
            placement.TakeBytes(training && layout.embedded ? TokenGroupsBytes(layout.positions, layout.inputs) : 0)),
        cudnn(placement.TakeBytes(0)) {}

  float* Rows(bool wanted, int64_t floats) { return wanted ? placement.Take<float>(floats) : nullptr; }

  Placement placement;
  float* x;       // [B, T, m] by turn
  float* states;  // [B, T, n] by turn: the states, or their gradients
  float* dx;      // [B, T, m] by turn
  void* token_groups;
  void* cudnn;
};

void MoveRows(const CudaContext& context, const Layout& layout, bool add, const RowMove& move) {
  const LaunchShape shape{
      .grid = dim3(BlocksFor(layout.positions * move.width, kThreads, context.device.multiprocessors)),
      .block = dim3(kThreads)};
  Launch(add ? MoveRowsKernel<true> : MoveRowsKernel<false>, shape, context.stream, layout.positions, layout.turns,
         move);
}

const float* InputRows(const CudaContext& context, const Layout& layout, const SequenceInput& input, float* x) {
  if (!layout.moves_inputs) return input.x;
  const float* rows = layout.embedded ? input.table : input.x;
  MoveRows(context, layout, false, {rows, layout.inputs, input.tokens, x, layout.inputs, layout.inputs});
  return x;
}

void SumByToken(const CudaContext& context, const Layout& layout, const SequenceInput& input, const float* dx,
                const SequenceGradient& dinput, void* token_groups) {
  const TokenOrder order = GroupTokens(context, input.tokens, layout.positions, input.vocabulary, token_groups);
  if (!dinput.accumulate) {
    Zero(context, dinput.dtable, static_cast<size_t>(input.vocabulary * layout.inputs) * sizeof(float));
  }
  SumRowsByToken(context, order, dx, layout.inputs, dinput.accumulate, dinput.dtable, token_groups);
}

void CheckCudnnCounts(const RecurrenceShape& shape, int64_t batch) {
  const int64_t most = LargestCudnnBatch(shape);
  if (batch <= most) return;
  throw Error(ErrorCode::kInvalidArgument,
              "Expected a batch of at most " + std::to_string(most) + " sequences of " + std::to_string(shape.steps) +
                  " steps for the implementation 'cudnn', whose sizes are 32 bits wide, but received " +
                  std::to_string(batch) + "; choose a smaller batch, or the implementation 'auto'");
}

}  // namespace

void CheckCudnnServes(const RecurrenceShape& shape, bool masked) {
  const std::string reason = WhyNotCudnn(shape, masked);
  if (reason.empty()) return;
  throw Error(ErrorCode::kInvalidModel,
              "The implementation 'cudnn' cannot compute the layer: " + reason + "; choose 'auto' or 'slim'");
}

bool CudnnServesBatch(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool training) {
  return context.cudnn->Fits(shape, batch, training);
}

size_t CudnnCacheBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch) {
  CheckCudnnCounts(shape, batch);
  return context.cudnn->CacheBytes(shape, batch);
}

size_t CudnnScratchBytes(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, bool embedded,
                         bool training) {
  CheckCudnnCounts(shape, batch);
  const Memory memory(Layout(shape, batch, embedded), training, nullptr);
  return memory.placement.bytes() + context.cudnn->ScratchBytes(shape, batch, training);
}

void CudnnForward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                  const RecurrenceWeights& weights, const StateOutput& output, void* cache, void* scratch) {
  const bool training = cache != nullptr;
  const Layout layout(shape, batch, input.x == nullptr);
  const Memory memory(layout, training, scratch);
  TellCudnn(context, RecurrencePlan(shape, batch, layout.embedded, training), Pass::kForward);
  const StateOutput by_turn = layout.moves_states ? StateOutput{memory.states, layout.units} : output;
  context.cudnn->Forward(shape, batch, InputRows(context, layout, input, memory.x), weights, by_turn, cache,
                         memory.cudnn, context.stream);
  if (!layout.moves_states) return;
  MoveRows(context, layout, false, {memory.states, layout.units, nullptr, output.h, output.stride, layout.units});
}

void CudnnBackward(const CudaContext& context, const RecurrenceShape& shape, int64_t batch, const SequenceInput& input,
                   const RecurrenceWeights& weights, const StateGradient& doutput, void* cache,
                   const RecurrenceGradients& gradients, const SequenceGradient& dinput, void* scratch) {
  const Layout layout(shape, batch, input.x == nullptr);
  const Memory memory(layout, true, scratch);
  TellCudnn(context, RecurrencePlan(shape, batch, layout.embedded, true), Pass::kBackward);
  StateGradient by_turn = doutput;
  if (layout.moves_states) {
    MoveRows(context, layout, false, {doutput.dh, doutput.stride, nullptr, memory.states, layout.units, layout.units});
    by_turn = {memory.states, layout.units};
  }
  const bool in_place = dinput.dx != nullptr && !layout.moves_inputs && !dinput.accumulate;
  float* dx = in_place ? dinput.dx : memory.dx;
  context.cudnn->Backward(shape, batch, InputRows(context, layout, input, memory.x), weights, by_turn, cache, gradients,
                          dx, memory.cudnn, context.stream);
  const auto move_to = [&](float* to, bool add) {
    MoveRows(context, layout, add, {dx, layout.inputs, nullptr, to, layout.inputs, layout.inputs});
  };
  if (dinput.dx != nullptr && !in_place) move_to(dinput.dx, dinput.accumulate);
  if (dinput.dtable == nullptr) return;
  if (layout.turns.reverse) {
    // The rows that were read are read no more, and make room.
    move_to(memory.x, false);
    dx = memory.x;
  }
  SumByToken(context, layout, input, dx, dinput, memory.token_groups);
}

}  // namespace slim::cuda
