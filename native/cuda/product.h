#pragma once

#include "cuda/context.h"
#include "cuda/product_shape.h"

namespace slim::cuda {

/// The product, through cuBLASLt where it is there and takes the shape, otherwise by the kernel of this library. Where
/// the depth is 0, C gets what the epilogue makes of zeros. Throws Error: kInvalidArgument where both operands lie
/// transposed, which no operation needs and no kernel is there for; kDevice.
void Multiply(const CudaContext& context, const ProductShape& shape, const ProductOperands& operands);

/// The same by the kernels of this library. Sums over a large depth are cut into parts, whose number depends on the
/// shape and the device alone, and added in rising order.
void MultiplyByOwnKernel(const CudaContext& context, const ProductShape& shape, const ProductOperands& operands);

}  // namespace slim::cuda
