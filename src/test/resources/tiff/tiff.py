"""Writes tiny TIFF pictures of each kind that Pillow reads, and expected.json with the pixels that the reference sees.

Run with Pillow 12.3.0 in this directory.
"""

import base64
import io
import json
import random
import struct

from PIL import Image

W, H = 12, 9
random.seed(7)
expected = {}


def convert_to_rgb(image):  # transformers, image_processing_idefics.py
    if image.mode == "RGB":
        return image
    image_rgba = image.convert("RGBA")
    background = Image.new("RGBA", image_rgba.size, (255, 255, 255))
    return Image.alpha_composite(background, image_rgba).convert("RGB")


def add(name, data):
    rgb = convert_to_rgb(Image.open(io.BytesIO(data)))
    with open(name + ".tif", "wb") as file:
        file.write(data)
    expected[name] = {
        "width": rgb.width,
        "height": rgb.height,
        "rgb": base64.b64encode(rgb.tobytes()).decode(),
    }


def picture(mode, w=W, h=H):
    image = Image.new(mode, (w, h))
    if mode in ("P", "PA"):
        image.putpalette([(i * 7 + k * 50) % 256 for i in range(256) for k in range(3)])
    for y in range(h):
        for x in range(w):
            if mode == "1":
                value = 255 if (x // 3 + y // 2) % 2 else 0
            elif mode.startswith("I"):
                value = (x * 21 + y * 13) * 3 - (40 if mode == "I" else 0)
            elif mode == "F":
                value = (x * 21 + y * 13) * 1.37 - 20
            elif mode in ("L", "P"):
                value = (x * 21 + y * 13) % 256
            else:
                bands = {"LA": 2, "PA": 2, "RGB": 3, "YCbCr": 3}.get(mode, 4)
                value = tuple((x * (21 + 7 * k) + y * (13 + 11 * k)) % 256 for k in range(bands))
            image.putpixel((x, y), value)
    return image


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "TIFF", **options)
    return out.getvalue()


def written(fields, data, order="<", width=W, height=H):
    """A file with any fields, tag -> (type, values), of data that begin at byte 8."""
    fields = {
        256: (4, [width]), 257: (4, [height]), 259: (3, [1]), 273: (4, [8]), 278: (4, [height]), 279: (4, [len(data)]),
        **fields,
    }
    fields = {tag: field for tag, field in fields.items() if field}
    data += b"\0" * (len(data) % 2)
    directory = struct.pack(order + "H", len(fields))
    far = b""
    for tag in sorted(fields):
        kind, values = fields[tag]
        raw = b"".join(struct.pack(order + {3: "H", 4: "I"}[kind], value) for value in values)
        if len(raw) > 4:
            at = 8 + len(data) + 2 + 12 * len(fields) + 4 + len(far)
            far += raw
            raw = struct.pack(order + "I", at)
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + raw.ljust(4, b"\0")
    mark = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    return mark + data + directory + b"\0\0\0\0" + far


def noise(count):
    return bytes(random.randrange(256) for _ in range(count))


for mode in ("1", "L", "LA", "P", "PA", "I;16", "I;16B", "I", "F", "RGB", "RGBX", "RGBA", "CMYK"):
    add("mode-" + mode.replace(";", ""), saved(picture(mode)))
for compression in ("tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"):
    add("rgb-" + compression, saved(picture("RGB"), compression=compression))
add("ycbcr-tiff_lzw", saved(picture("YCbCr"), compression="tiff_lzw"))
for compression in ("tiff_ccitt", "group3", "group4"):
    add("black-and-white-" + compression, saved(picture("1", 37, 21), compression=compression))
for mode in ("L", "RGB", "CMYK", "YCbCr"):
    add("jpeg-" + mode, saved(picture(mode, 33, 18), compression="jpeg"))
noisy = Image.frombytes("RGB", (60, 50), noise(60 * 50 * 3))  # fills the table of codes
add("noise-tiff_lzw", saved(noisy, compression="tiff_lzw"))
for mode in ("RGB", "I;16"):
    for compression in ("tiff_lzw", "tiff_adobe_deflate"):
        name = "predictor-" + mode.replace(";", "") + "-" + compression
        add(name, saved(picture(mode, 40, 30), compression=compression, tiffinfo={317: 2}))
add("strips-tiff_lzw", saved(picture("RGB", 40, 30), compression="tiff_lzw", strip_size=40 * 3 * 7))
for orientation in (3, 6):
    add("orientation-%d" % orientation, saved(picture("RGB"), tiffinfo={274: orientation}))
add("bigtiff", saved(picture("RGB"), big_tiff=True))
pages = io.BytesIO()
picture("RGB").save(pages, "TIFF", save_all=True, append_images=[picture("L")])
add("pages", pages.getvalue())
for bits in (1, 2, 4, 8):
    for photometric in (0, 1, 3):
        fields = {258: (3, [bits]), 262: (3, [photometric])}
        if photometric == 3:
            fields[320] = (3, [random.randrange(65536) for _ in range(3 << bits)])
        add("bits-%d-photometric-%d" % (bits, photometric), written(fields, noise((W * bits + 7) // 8 * H)))
add("fill-order", written({258: (3, [4]), 262: (3, [1]), 266: (3, [2])}, noise((W * 4 + 7) // 8 * H)))
for order in "<>":
    end = "little" if order == "<" else "big"
    for samples, extra in ((3, None), (4, [1]), (4, [2]), (4, [0]), (4, None)):
        fields = {258: (3, [16] * samples), 262: (3, [2]), 277: (3, [samples]), 338: extra and (3, extra)}
        name = "rgb16-%s-%d-%s" % (end, samples, extra[0] if extra else "none")
        add(name, written(fields, noise(W * H * samples * 2), order))
    add("cmyk16-" + end, written({258: (3, [16] * 4), 262: (3, [5]), 277: (3, [4])}, noise(W * H * 8), order))
    signed = b"".join(struct.pack(order + "h", random.randrange(-100, 400)) for _ in range(W * H))
    add("signed16-" + end, written({258: (3, [16]), 262: (3, [1]), 339: (3, [2])}, signed, order))
for samples, extra in ((4, [1]), (5, [1, 0]), (5, [2, 0]), (6, [0, 0, 0])):
    fields = {258: (3, [8] * samples), 262: (3, [2]), 277: (3, [samples]), 338: (3, extra)}
    add("rgb8-%d-%d" % (samples, extra[0]), written(fields, noise(W * H * samples)))
add("bits-12", written({258: (3, [12]), 262: (3, [1])}, bytes(b & 3 for b in noise(W * 12 // 8 * H))))
rgb = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3])}
planes = {273: (4, [8 + i * W * H for i in range(3)]), 279: (4, [W * H] * 3), 284: (3, [2])}
add("planar", written({**rgb, **planes}, noise(W * H * 3)))
tiles = {322: (3, [16]), 323: (3, [16]), 324: (4, [8 + i * 768 for i in range(4)]), 325: (4, [768] * 4)}
add("tiles", written({**rgb, **tiles, 273: None, 278: None, 279: None}, noise(4 * 768), ">", 20, 18))

with open("expected.json", "w") as file:
    json.dump(expected, file, indent=1)
