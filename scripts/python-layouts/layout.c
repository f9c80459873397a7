/* Prints the layout of one CPython as JSON, from the headers it is compiled against. See scripts/python-layouts.ts. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX < 0x03080000
#include <internal/pystate.h>
#else
#include <internal/pycore_pystate.h>
#endif
#if PY_VERSION_HEX >= 0x03090000
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#include <internal/pycore_gc.h>
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_code.h>
#endif

#define GROUP(name) printf("%s\"%s\": {", comma ? "}, " : "", name), comma = 1, first = 1
#define NUMBER(field, value) printf("%s\"%s\": %ld", first ? "" : ", ", field, (long)(value)), first = 0
#define OFFSET(field, type, member) NUMBER(field, offsetof(type, member))

int main(void) {
  int comma = 0, first = 1;
  printf("{");

  GROUP("runtime");
  OFFSET("interpreters", _PyRuntimeState, interpreters.head);
#if PY_VERSION_HEX < 0x030c0000
  OFFSET("gil", _PyRuntimeState, ceval.gil);
#endif
#if PY_VERSION_HEX < 0x03090000
  OFFSET("gc", _PyRuntimeState, gc);
#endif

  GROUP("interpreter");
  OFFSET("next", PyInterpreterState, next);
#if PY_VERSION_HEX < 0x030b0000
  OFFSET("threads", PyInterpreterState, tstate_head);
#else
  OFFSET("threads", PyInterpreterState, threads.head);
#endif
#if PY_VERSION_HEX < 0x030c0000
  OFFSET("modules", PyInterpreterState, modules);
#else
  OFFSET("modules", PyInterpreterState, imports.modules);
  OFFSET("gil", PyInterpreterState, ceval.gil);
#endif
  OFFSET("sys", PyInterpreterState, sysdict);
#if PY_VERSION_HEX >= 0x03090000
  OFFSET("gc", PyInterpreterState, gc);
#endif

  GROUP("gil");
  OFFSET("holder", struct _gil_runtime_state, last_holder);
  OFFSET("locked", struct _gil_runtime_state, locked);
  OFFSET("switches", struct _gil_runtime_state, switch_number);

  GROUP("gc");
  OFFSET("generations", struct _gc_runtime_state, generations);
  NUMBER("generationSize", sizeof(struct gc_generation));
  OFFSET("permanent", struct _gc_runtime_state, permanent_generation);
  OFFSET("stats", struct _gc_runtime_state, generation_stats);
  NUMBER("statsSize", sizeof(struct gc_generation_stats));
  OFFSET("collecting", struct _gc_runtime_state, collecting);
  NUMBER("headSize", sizeof(PyGC_Head));

  GROUP("thread");
  OFFSET("next", PyThreadState, next);
  OFFSET("id", PyThreadState, thread_id);
#if PY_VERSION_HEX >= 0x030b0000
  OFFSET("nativeId", PyThreadState, native_thread_id);
#endif
#if PY_VERSION_HEX < 0x030b0000
  OFFSET("frame", PyThreadState, frame);
#elif PY_VERSION_HEX < 0x030d0000
  OFFSET("frame", PyThreadState, cframe);
  OFFSET("currentFrame", _PyCFrame, current_frame);
#else
  OFFSET("frame", PyThreadState, current_frame);
#endif

  GROUP("frame");
#if PY_VERSION_HEX < 0x030b0000
  OFFSET("previous", PyFrameObject, f_back);
  OFFSET("code", PyFrameObject, f_code);
  OFFSET("instruction", PyFrameObject, f_lasti);
  OFFSET("locals", PyFrameObject, f_localsplus);
#if PY_VERSION_HEX < 0x030a0000
  OFFSET("stackTop", PyFrameObject, f_stacktop);
#else
  OFFSET("valueStack", PyFrameObject, f_valuestack);
  OFFSET("stackDepth", PyFrameObject, f_stackdepth);
#endif
#else
  OFFSET("previous", _PyInterpreterFrame, previous);
#if PY_VERSION_HEX < 0x030d0000
  OFFSET("code", _PyInterpreterFrame, f_code);
  OFFSET("instruction", _PyInterpreterFrame, prev_instr);
#else
  OFFSET("code", _PyInterpreterFrame, f_executable);
  OFFSET("instruction", _PyInterpreterFrame, instr_ptr);
#endif
  OFFSET("owner", _PyInterpreterFrame, owner);
  OFFSET("locals", _PyInterpreterFrame, localsplus);
  OFFSET("stackDepth", _PyInterpreterFrame, stacktop);
#endif

  GROUP("code");
  OFFSET("file", PyCodeObject, co_filename);
  OFFSET("name", PyCodeObject, co_name);
  OFFSET("firstLine", PyCodeObject, co_firstlineno);
  OFFSET("flags", PyCodeObject, co_flags);
#if PY_VERSION_HEX >= 0x030b0000
  OFFSET("qualifiedName", PyCodeObject, co_qualname);
  OFFSET("lines", PyCodeObject, co_linetable);
  OFFSET("bytecode", PyCodeObject, co_code_adaptive);
  OFFSET("firstTraceable", PyCodeObject, _co_firsttraceable);
  OFFSET("names", PyCodeObject, co_localsplusnames);
#else
#if PY_VERSION_HEX >= 0x030a0000
  OFFSET("lines", PyCodeObject, co_linetable);
#else
  OFFSET("lines", PyCodeObject, co_lnotab);
#endif
  OFFSET("names", PyCodeObject, co_varnames);
  OFFSET("freeNames", PyCodeObject, co_freevars);
  OFFSET("cellNames", PyCodeObject, co_cellvars);
#endif

  GROUP("generator");
#if PY_VERSION_HEX < 0x030b0000
  OFFSET("frame", PyGenObject, gi_frame);
#else
  OFFSET("frame", PyGenObject, gi_iframe);
  OFFSET("state", PyGenObject, gi_frame_state);
#endif

  GROUP("object");
  OFFSET("type", PyObject, ob_type);
  OFFSET("size", PyVarObject, ob_size);

  GROUP("type");
  OFFSET("name", PyTypeObject, tp_name);
  OFFSET("basicSize", PyTypeObject, tp_basicsize);
  OFFSET("flags", PyTypeObject, tp_flags);
  OFFSET("base", PyTypeObject, tp_base);
  OFFSET("dict", PyTypeObject, tp_dict);
  OFFSET("dictOffset", PyTypeObject, tp_dictoffset);
  OFFSET("qualifiedName", PyHeapTypeObject, ht_qualname);
  OFFSET("cachedKeys", PyHeapTypeObject, ht_cached_keys);

  GROUP("dict");
  OFFSET("used", PyDictObject, ma_used);
  OFFSET("keys", PyDictObject, ma_keys);
  OFFSET("values", PyDictObject, ma_values);
#if PY_VERSION_HEX >= 0x030b0000
  GROUP("keys");
  OFFSET("log2Size", struct _dictkeysobject, dk_log2_size);
  OFFSET("log2IndexBytes", struct _dictkeysobject, dk_log2_index_bytes);
  OFFSET("kind", struct _dictkeysobject, dk_kind);
  OFFSET("entries", struct _dictkeysobject, dk_nentries);
  OFFSET("indices", struct _dictkeysobject, dk_indices);
#endif

  GROUP("list");
  OFFSET("items", PyListObject, ob_item);
  GROUP("tuple");
  OFFSET("items", PyTupleObject, ob_item);
  GROUP("set");
  OFFSET("mask", PySetObject, mask);
  OFFSET("table", PySetObject, table);
  NUMBER("entrySize", sizeof(setentry));
  GROUP("cell");
  OFFSET("value", PyCellObject, ob_ref);
  GROUP("text");
  OFFSET("length", PyASCIIObject, length);
  OFFSET("state", PyASCIIObject, state);
  NUMBER("ascii", sizeof(PyASCIIObject));
  NUMBER("compact", sizeof(PyCompactUnicodeObject));
  GROUP("bytes");
  OFFSET("data", PyBytesObject, ob_sval);
  GROUP("integer");
  OFFSET("digits", PyLongObject,
#if PY_VERSION_HEX >= 0x030c0000
         long_value.ob_digit);
#else
         ob_digit);
#endif
  printf("}}\n");
  return 0;
}
