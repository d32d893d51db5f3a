//! Times as a TIMESTAMP's text, UTC.

const std = @import("std");
const Output = @import("Output.zig");
const Error = Output.Error;

/// `timestamp` of chalicelib/transform/rows.py: ms since 1970 as `YYYY-MM-DD HH:MM:SS.mmm`.
pub fn stamp(ms: u64, out: *Output) Error!void {
    const seconds = ms / 1000;
    const since: std.time.epoch.EpochSeconds = .{ .secs = seconds };
    const year_day = since.getEpochDay().calculateYearDay();
    const month_day = year_day.calculateMonthDay();
    const clock = seconds % 86_400;
    if (year_day.year > 9999) return error.Unusual;
    try out.padded(year_day.year, 4);
    try out.byte('-');
    try out.padded(month_day.month.numeric(), 2);
    try out.byte('-');
    try out.padded(@as(u64, month_day.day_index) + 1, 2);
    try out.byte(' ');
    try out.padded(clock / 3600, 2);
    try out.byte(':');
    try out.padded(clock / 60 % 60, 2);
    try out.byte(':');
    try out.padded(clock % 60, 2);
    try out.byte('.');
    try out.padded(ms % 1000, 3);
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// `2018-10-10T20:19:24.000Z` or `Wed Oct 10 20:19:24 +0000 2018` as `2018-10-10 20:19:24`; any other is unusual.
pub fn read(text: []const u8, out: *Output) Error!void {
    if (fits(text, "Aaa Aaa 00 00:00:00 +0000 0000") and std.mem.eql(u8, text[20..25], "+0000")) {
        const month = for (0..12) |at| {
            if (std.mem.eql(u8, months[3 * at ..][0..3], text[4..7])) break at + 1;
        } else return error.Unusual;
        return moment(text[26..30], month, text[8..10], text[11..19], "000", out);
    }
    if (!fits(text, "0000-00-00T00:00:00Z") and !fits(text, "0000-00-00T00:00:00.000Z")) return error.Unusual;
    const fraction = if (text.len == 24) text[20..23] else "000";
    return moment(text[0..4], try number(text[5..7]), text[8..10], text[11..19], fraction, out);
}

/// Whether a text has letters and digits where a pattern has any, and else the same.
fn fits(text: []const u8, pattern: []const u8) bool {
    if (text.len != pattern.len) return false;
    for (text, pattern) |character, wanted| {
        const right = switch (wanted) {
            '0' => std.ascii.isDigit(character),
            'A', 'a' => std.ascii.isAlphabetic(character),
            else => character == wanted,
        };
        if (!right) return false;
    }
    return true;
}

fn moment(year: []const u8, month: u64, day: []const u8, clock: []const u8, fraction: []const u8, out: *Output) Error!void {
    const in_month = std.time.epoch.getDaysInMonth(std.math.cast(u16, try number(year)) orelse return error.Unusual, switch (month) {
        1...12 => @fromBackingInt(@intCast(month)),
        else => return error.Unusual,
    });
    const of_month = try number(day);
    const right = try number(year) > 0 and of_month > 0 and of_month <= in_month and try number(clock[0..2]) < 24 and
        try number(clock[3..5]) < 60 and try number(clock[6..8]) < 60;
    if (!right) return error.Unusual;
    try out.bytes(year);
    try out.byte('-');
    try out.padded(month, 2);
    try out.byte('-');
    try out.bytes(day);
    try out.byte(' ');
    try out.bytes(clock);
    if (std.mem.eql(u8, fraction, "000")) return;
    try out.byte('.');
    try out.bytes(fraction);
}

fn number(digits: []const u8) Error!u64 {
    return std.fmt.parseInt(u64, digits, 10) catch error.Unusual;
}
