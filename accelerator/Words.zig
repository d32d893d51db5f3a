//! The tokens that the model knows: a table of open addressing, at most half full, whose slots hold all but the letters.

const std = @import("std");
const Words = @This();

slots: []Slot, // as many as a power of two
names: []const u8,

pub const Slot = struct {
    hash: u32,
    start: u32, // in `names`
    length: u8, // 0: the slot is empty
    anchored: Anchored,
    weight: i16,
    norm: u16,
};

/// Whether the lexicon knows a token.
pub const Anchored = enum(u8) { unasked, no, yes };

pub fn init(count: usize, names: []const u8, allocator: std.mem.Allocator) !Words {
    const slots = try allocator.alloc(Slot, try std.math.ceilPowerOfTwo(usize, 2 * count + 1));
    for (slots) |*slot| slot.length = 0;
    return .{ .slots = slots, .names = names };
}

/// Adds `names[start..][0..length]`, which must not be there yet.
pub fn add(words: *Words, start: u32, length: usize, weight: i16, norm: u16) error{Malformed}!void {
    if (length == 0 or length > 255) return error.Malformed;
    const hash = hashOf(words.names[start..][0..length]);
    var at = hash & words.slots.len - 1;
    while (words.slots[at].length > 0) at = at + 1 & words.slots.len - 1;
    words.slots[at] = .{
        .hash = hash,
        .start = start,
        .length = @intCast(length),
        .anchored = .unasked,
        .weight = weight,
        .norm = norm,
    };
}

pub fn find(words: *Words, token: []const u8) ?*Slot {
    const hash = hashOf(token);
    var at = hash & words.slots.len - 1;
    while (words.slots[at].length > 0) : (at = at + 1 & words.slots.len - 1) {
        const slot = &words.slots[at];
        if (slot.hash == hash and slot.length == token.len and std.mem.eql(u8, words.names[slot.start..][0..slot.length], token)) return slot;
    }
    return null;
}

fn hashOf(token: []const u8) u32 {
    return @truncate(std.hash.Wyhash.hash(0, token));
}
