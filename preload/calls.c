#include "call.h"

const struct tf_call_info tf_call_info[TF_CALLS] = {
#define CALL(id, name, fd, shape, class, ...) [TF_##id] = {name, fd, TF_SHAPE_##shape, TF_CLASS_##class},
#include "calls.def"
#undef CALL
};
