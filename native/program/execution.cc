#include "program/execution.h"

#include "program/sizes.h"

namespace slim {

Execution::Execution(Backend& backend, const Program& program, const ExecutionSetting& setting)
    : backend_(backend), setting_(setting), chain_(MakeChain(program.spec(), program.layout(), setting.chain)) {
  if (setting.chain.loss) {
    loss_ = {*setting.chain.loss, chain_.form, chain_.output.Elements(), setting.top_k};
  }
  CheckedElements(program.spec().layers[0].name, "a batch of inputs",
                  {setting.chain.batch, program.input().Elements()});
  CheckedElements(program.spec().layers.back().name, "a batch of outputs",
                  {setting.chain.batch, chain_.output.Elements()});
  PlanPasses(program);
}

/// Times: 0 the batch comes in; node i runs at i + 1; then the loss; then the nodes from the last.
void Execution::PlanPasses(const Program& program) {
  const size_t batch = static_cast<size_t>(setting_.chain.batch);
  const int nodes = static_cast<int>(chain_.nodes.size());
  const int loss_time = nodes + 1;

  Value value;
  value.data = input_id_ = plan_.Add(batch * static_cast<size_t>(program.input().Elements()) * sizeof(float), 0);
  value.overwritable = true;
  for (int i = 0; i < nodes; ++i) {
    value = chain_.nodes[static_cast<size_t>(i)]->PlanForward(backend_, plan_, i + 1, value);
  }
  output_id_ = value.data;
  plan_.Extend(output_id_, loss_time);

  if (setting_.chain.loss) {
    const bool sparse = loss_.loss == Loss::kSparseCategoricalCrossentropy;
    const size_t target_bytes = sparse ? sizeof(int32_t) : static_cast<size_t>(loss_.outputs) * sizeof(float);
    targets_id_ = plan_.Add(batch * target_bytes, 0);
    plan_.Extend(targets_id_, loss_time);
  }
  const int first_backward = static_cast<int>(chain_.first_backward);
  if (first_backward < nodes) {
    BufferId gradient = doutput_id_ = plan_.Add(batch * static_cast<size_t>(loss_.outputs) * sizeof(float), loss_time);
    for (int i = nodes - 1; i >= first_backward; --i) {
      gradient = chain_.nodes[static_cast<size_t>(i)]->PlanBackward(backend_, plan_, loss_time + nodes - i, gradient);
    }
    if (setting_.chain.input_gradient) input_gradient_id_ = gradient;
    plan_.Extend(input_gradient_id_, loss_time + nodes + 1);
  }
  plan_.Place();
}

void Execution::Bind(void* arena, float* parameters, float* gradients) {
  const Addresses addresses(plan_, arena, parameters, gradients);
  input_ = addresses.Of<void>(input_id_);
  targets_ = addresses.Of<void>(targets_id_);
  output_ = addresses.Of(output_id_);
  doutput_ = addresses.Of(doutput_id_);
  input_gradient_ = addresses.Of(input_gradient_id_);
  for (const std::unique_ptr<Node>& node : chain_.nodes) node->Bind(addresses);
}

void Execution::Forward(int64_t batch) {
  for (const std::unique_ptr<Node>& node : chain_.nodes) node->Forward(backend_, batch);
}

void Execution::ComputeLoss(int64_t batch, const float* class_weights, MetricSums* sums) {
  backend_.ComputeLoss(loss_, batch, {output_, targets_, class_weights, doutput_, sums});
}

void Execution::Backward(int64_t batch) {
  for (size_t i = chain_.nodes.size(); i > chain_.first_backward; --i) chain_.nodes[i - 1]->Backward(backend_, batch);
}

}  // namespace slim
