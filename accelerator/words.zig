//! What is known of words: a table of open addressing, at most half full, whose slots hold all but the letters.

const std = @import("std");

pub fn Words(comptime Value: type) type {
    return struct {
        tags: []u16, // of each slot a part of its word's hash; 0: it is empty. Most searches read nothing else
        slots: []Slot, // as many as a power of two
        names: []const u8,

        const Self = @This();
        const Slot = struct { start: u32, length: u8, value: Value }; // `start` in `names`

        pub fn init(count: usize, names: []const u8, allocator: std.mem.Allocator) !Self {
            const size = try std.math.ceilPowerOfTwo(usize, 2 * count + 1);
            const words: Self = .{ .tags = try allocator.alloc(u16, size), .slots = try allocator.alloc(Slot, size), .names = names };
            @memset(words.tags, 0);
            return words;
        }

        /// Adds `names[start..][0..length]`, which must not be there yet.
        pub fn add(words: *Self, start: usize, length: usize, value: Value) error{Malformed}!void {
            if (length == 0 or length > 255) return error.Malformed;
            const hash = hashOf(words.names[start..][0..length]);
            var at = hash & words.slots.len - 1;
            while (words.tags[at] > 0) at = at + 1 & words.slots.len - 1;
            words.tags[at] = tagOf(hash);
            words.slots[at] = .{ .start = @intCast(start), .length = @intCast(length), .value = value };
        }

        pub fn find(words: *const Self, word: []const u8) ?*Value {
            const hash = hashOf(word);
            var at = hash & words.slots.len - 1;
            while (words.tags[at] > 0) : (at = at + 1 & words.slots.len - 1) {
                if (words.tags[at] != tagOf(hash)) continue;
                const slot = &words.slots[at];
                if (slot.length == word.len and std.mem.eql(u8, words.names[slot.start..][0..slot.length], word)) return &slot.value;
            }
            return null;
        }
    };
}

fn tagOf(hash: u32) u16 {
    return @intCast(hash >> 16 | 1);
}

pub fn hashOf(word: []const u8) u32 {
    return @truncate(std.hash.Wyhash.hash(0, word));
}

/// The words of a list, a line each, and where they begin in it.
pub const Lines = struct {
    each: std.mem.SplitIterator(u8, .scalar),

    pub const Line = struct { start: usize, text: []const u8 };

    pub fn of(names: []const u8) Lines {
        return .{ .each = std.mem.splitScalar(u8, names, '\n') };
    }

    pub fn next(lines: *Lines) error{Malformed}!Line {
        const start = lines.each.index orelse return error.Malformed;
        return .{ .start = start, .text = lines.each.next() orelse return error.Malformed };
    }
};
