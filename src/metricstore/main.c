// SPDX-License-Identifier: MIT
#include "metricstore/server.h"

int main(int argc, char **argv)
{
    return metricstore_main(argc, argv);
}
