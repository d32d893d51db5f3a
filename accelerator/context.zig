//! `strength` of chalicelib/places/context.py: what the words around a name say.

const std = @import("std");
const Gazetteer = @import("Gazetteer.zig");
const Text = @import("mentions.zig").Text;

const sure = 2.0;
const likely = 1.5;
const weak = 1.0;
pub const faint = 0.25; // counts beside others only
const none = 0.0;
const led_more = 1.0; // if a word leads to it
const shortest_shouted = 6;

const Case = enum { shouted, titled, mixed, small_letters };

pub const Context = struct {
    gazetteer: *const Gazetteer,
    text: *const Text,
    case: Case,
    of_sport: bool,
    of_event: bool,

    pub fn of(gazetteer: *const Gazetteer, text: *const Text) Context {
        var around: Context = .{ .gazetteer = gazetteer, .text = text, .case = caseOf(text), .of_sport = false, .of_event = false };
        for (0..text.words) |at| {
            const roles = around.rolesOf(at);
            around.of_sport = around.of_sport or roles.sport;
            around.of_event = around.of_event or roles.event;
        }
        return around;
    }

    /// How sure it is that the name from word `start` to `end` means a place; 0 if it doesn't.
    pub fn strength(around: *const Context, kind: Gazetteer.Kind, start: usize, end: usize, follows: bool) f32 {
        const text = around.text;
        const word = text.word(start);
        const gap = text.gap(start);
        const before = around.rolesOf(start -% 1);
        const after = around.rolesOf(end);
        const second = around.rolesOf(end + 1);
        const led = before.leading;
        const many = end - start > 1;
        const listed = follows and std.mem.findScalar(u8, gap, ',') != null;
        const happens = after.event or second.event; // the London beer flood
        const happened = before.hazard or around.rolesOf(start -% 2).hazard; // enchente no Recife
        const surely: f32 = if (led) sure + led_more else sure;
        const small = std.ascii.isLower(word[0]);
        if (endsWithOne(gap, "-") and kind != .code) return none; // pro-Gaza
        switch (kind) {
            .name, .large => {
                if (around.of_sport and !led) return none; // England vs Ghana
                if (after.team or (around.case == .shouted and !many and !led and word.len < shortest_shouted)) return none;
                if (around.isWord(end, "s") and !many and !led and !happens) return none; // Egypt's politics
                const told = led or listed or happens or happened or before.linking;
                if (kind == .large and !told and !around.isOfEvent(start, end) and !around.isRegion(end)) return if (small) none else faint;
                if (many or led or around.case == .small_letters or !small) return surely;
                return if (kind == .name) weak else none;
            },
            .initials => {
                if (around.of_sport and !led) return none;
                const written = isUpper(text.word(end - 1)) and (many or around.case != .shouted);
                const told = many or led or happens or happened or around.isWord(start -% 1, "the");
                return if (written and told) surely else none;
            },
            .code => {
                const of_city = start > 0 and gap[0] == ',' and around.isCapital(start - 1); // one that isn't known
                const alone = !around.rolesOf(start).no_initials and (led or of_city or endsWithOne(gap, "-[(") or after.event);
                return if (isUpper(word) and (listed or (alone and around.case != .shouted))) sure else none;
            },
            .demonym => return if (before.hazard or after.hazard or second.hazard) weak else none,
            .word, .person, .small => {},
            .nothing, .tag, _ => return none,
        }
        if (small) return none;
        const is_sure = led or listed or around.isRegion(end);
        switch (kind) {
            .word => {
                const initials = isUpper(word) and around.case != .shouted;
                return if (is_sure and !listed and !initials and around.case == .mixed and start > 0) likely else none;
            },
            .person => {
                if (after.team) return none;
                if (is_sure) return sure;
                const of_person = start > 0 and around.isCapital(start - 1) and std.mem.eql(u8, gap, " ");
                const told = happens or around.isOfEvent(start, end);
                return if (told and !of_person and !before.title) weak else none;
            },
            else => {
                const told = is_sure or after.event or before.linking;
                return if (told or (many and around.case != .titled)) likely else none;
            },
        }
    }

    /// Of a word in lower case; none before the first word and behind the last.
    fn rolesOf(around: *const Context, at: usize) Gazetteer.Roles {
        if (at >= around.text.words) return .{};
        return if (around.gazetteer.roles.find(around.text.lower(at))) |found| found.* else .{};
    }

    fn isWord(around: *const Context, at: usize, wanted: []const u8) bool {
        return at < around.text.words and std.mem.eql(u8, around.text.lower(at), wanted);
    }

    fn isCapital(around: *const Context, at: usize) bool {
        return at < around.text.words and std.ascii.isUpper(around.text.word(at)[0]);
    }

    /// Whether the text speaks of an event and the name is no part of a longer one.
    fn isOfEvent(around: *const Context, start: usize, end: usize) bool {
        if (!around.of_event or around.case != .mixed) return false;
        if (start > 0 and around.isCapital(start - 1) and std.mem.eql(u8, around.text.gap(start), " ")) return false;
        return !(around.isCapital(end) and std.mem.eql(u8, around.text.gap(end), " "));
    }

    /// Whether the word behind a name names the region or country that it is in.
    fn isRegion(around: *const Context, at: usize) bool {
        if (!around.isCapital(at)) return false;
        const number = around.text.numbers[at];
        return number.places > 0 and (std.mem.findScalar(u8, around.text.gap(at), ',') != null or number.kind == .code);
    }
};

fn endsWithOne(gap: []const u8, of: []const u8) bool {
    return gap.len > 0 and std.mem.findScalar(u8, of, gap[gap.len - 1]) != null;
}

/// Whether a capital letter says anything in a text.
fn caseOf(text: *const Text) Case {
    var upper: usize = 0;
    var capital: usize = 0;
    for (0..text.words) |at| {
        upper += @intFromBool(isUpper(text.word(at)));
        capital += @intFromBool(isTitle(text.word(at)));
    }
    if (upper * 2 > text.words) return .shouted;
    if ((upper + capital) * 3 > text.words * 2 and text.words > 3) return .titled;
    return if (upper + capital > 0) .mixed else .small_letters;
}

/// Python's `isupper`.
pub fn isUpper(word: []const u8) bool {
    var any = false;
    for (word) |byte| {
        if (std.ascii.isLower(byte)) return false;
        any = any or std.ascii.isUpper(byte);
    }
    return any;
}

/// Python's `istitle`.
fn isTitle(word: []const u8) bool {
    var any = false;
    var inside = false;
    for (word) |byte| {
        if (if (inside) std.ascii.isUpper(byte) else std.ascii.isLower(byte)) return false;
        inside = std.ascii.isAlphabetic(byte);
        any = any or inside;
    }
    return any;
}
