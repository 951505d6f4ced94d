"""Slim variants as one writes them in PyTorch: the input product of all steps at once, gates that are biases alone once
for all steps, then a loop over the steps in Python.

Compiled forms were measured too and are slower on a CPU: `torch.compile` of the whole takes minutes for 128 steps, and
its steps, like those of a compiled or scripted cell, more time than the plain ones.
"""

import torch


class Handwritten(torch.nn.Module):
    """x [T, B, m] to the last state [B, n]."""

    def __init__(self, inputs, units):
        super().__init__()
        self.units = units
        self.kernel = torch.nn.Parameter(0.1 * torch.randn(inputs, units))

    def inputs_of(self, x, bias):
        steps, batch, inputs = x.shape
        return torch.addmm(bias, x.reshape(-1, inputs), self.kernel).view(steps, batch, self.units).unbind(0)

    def set_weights(self, arrays):
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(torch.from_numpy(arrays[name]).view_as(parameter))

    def gradients(self):
        return {f"gradient_{name}": parameter.grad for name, parameter in self.named_parameters()}


class HandwrittenLstm3(Handwritten):
    """Gates of a bias alone."""

    def __init__(self, inputs, units):
        super().__init__(inputs, units)
        self.recurrent_kernel = torch.nn.Parameter(0.05 * torch.randn(units, units))
        self.bias = torch.nn.Parameter(torch.randn(4 * units))

    def forward(self, x):
        i, f, bias, o = self.bias.chunk(4)
        i, f, o = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)
        h = c = x.new_zeros(x.shape[1], self.units)
        for row in self.inputs_of(x, bias):
            c = f * c + i * torch.tanh(torch.addmm(row, h, self.recurrent_kernel))
            h = o * torch.tanh(c)
        return h


class HandwrittenLstm10(Handwritten):
    """Gates of a diagonal term alone, and a diagonal one in the candidate."""

    def __init__(self, inputs, units):
        super().__init__(inputs, units)
        self.recurrent_diagonal = torch.nn.Parameter(0.3 * torch.randn(4, units))
        self.bias = torch.nn.Parameter(torch.randn(units))

    def forward(self, x):
        i, f, candidate, o = self.recurrent_diagonal.unbind(0)
        h = c = x.new_zeros(x.shape[1], self.units)
        for row in self.inputs_of(x, self.bias):
            c = torch.sigmoid(f * h) * c + torch.sigmoid(i * h) * torch.tanh(torch.addcmul(row, candidate, h))
            h = torch.sigmoid(o * h) * torch.tanh(c)
        return h


HANDWRITTEN = {"LSTM3": HandwrittenLstm3, "LSTM10": HandwrittenLstm10}
