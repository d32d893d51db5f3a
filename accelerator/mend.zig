//! `mend` of chalicelib/classifier/text.py: UTF-8 that was read as cp1252, and that as Mac Roman once more.

const std = @import("std");
const Characters = @import("Characters.zig");
const Output = @import("Output.zig");
const Error = Output.Error;
const Index = Characters.Index;
const Text = Characters.Text;

/// Return whether the text was garbled: then what was meant is in `to`.
pub fn mend(characters: *const Characters, text: []const Index, to: *Text) Error!bool {
    if (!try garbled(characters, text)) return false;
    const lost = .{ try characters.of(0x89), try characters.of('‰'), try characters.of('Û') };
    var at: usize = 0;
    while (at < text.len) {
        const start = at;
        if ((text[at] == lost[0] or text[at] == lost[1]) and at + 1 < text.len and text[at + 1] == lost[2]) {
            at += 2;
            if (at < text.len and text[at] != '\n') at += 1;
        } else {
            while (at < text.len and text[at] >= 128) at += 1;
        }
        if (at - start >= 2) {
            try meant(characters, text[start..at], lost[2], to);
        } else {
            at = start + 1;
            try to.add(text[start]);
        }
    }
    return true;
}

/// `_SIGNS_OF_GARBLING`
fn garbled(characters: *const Characters, text: []const Index) Error!bool {
    const lost = .{ try characters.of(0x89), try characters.of('‰'), try characters.of('Û') };
    const first = .{ try characters.of('å'), try characters.of('Ì'), try characters.of('Â'), try characters.of('Ã') };
    const quote = .{ try characters.of('â'), try characters.of('€') };
    for (text[0..text.len -| 1], text[@min(text.len, 1)..]) |one, next| {
        if (next < 128 or one < 128) continue;
        if (one == first[0] or one == first[1] or one == first[2] or one == first[3]) return true;
        if ((one == lost[0] or one == lost[1]) and next == lost[2]) return true;
        if (one == quote[0] and next == quote[1]) return true;
    }
    return false;
}

/// `_meant`
fn meant(characters: *const Characters, run: []const Index, lost: Index, to: *Text) Error!void {
    var once: [most]u8 = undefined;
    var twice: [most]u8 = undefined;
    if (run.len > most) return error.Unusual;
    var has_again = true;
    for (run, once[0..run.len], twice[0..run.len]) |index, *byte, *other| {
        byte.* = characters.get(index).byte;
        if (byte.* == 0) return to.addAll(run);
        other.* = characters.again[byte.*];
        has_again = has_again and other.* != 0;
    }
    if (std.unicode.utf8ValidateSlice(once[0..run.len])) return characters.decode(once[0..run.len], to);
    if (has_again and std.unicode.utf8ValidateSlice(twice[0..run.len])) return characters.decode(twice[0..run.len], to);
    if (run[1] != lost) return to.addAll(run);
    var rest = run[2..];
    while (rest.len > 0 and rest[0] == '_') rest = rest[1..];
    try to.add(' ');
    try to.addAll(rest);
}

const most = 256; // characters of a run
