#pragma once

// A window over images, and the images that come of it: `Geometry` in geometry.rs.
struct Geometry {
    int batch, height, width, channels;
    int out_height, out_width, outputs;
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
};
