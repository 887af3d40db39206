// SPDX-License-Identifier: MIT
#include "backend/backend.h"

int main(int argc, char **argv)
{
    return backend_main(argc, argv);
}
