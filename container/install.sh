#!/bin/sh
# Install the command line, with all that batches need, into a virtual environment.
#
#   sh install.sh SOURCE PREFIX [PYTORCH_INDEX]
#
# SOURCE is a folder of this project or a requirement such as napari-sam2; PYTORCH_INDEX
# says which builds of torch to take: https://download.pytorch.org/whl/cpu, …/cu126.
set -eu
source=$1 prefix=$2 index=${3:-}
"${PYTHON:-python3}" -m venv "$prefix"
if [ -n "$index" ]; then
    "$prefix/bin/python" -m pip install --no-cache-dir --index-url "$index" torch torchvision
fi
"$prefix/bin/python" -m pip install --no-cache-dir "$source[bio,cluster,evaluate,export,remote,video]"
"$prefix/bin/napari-sam2" --version
