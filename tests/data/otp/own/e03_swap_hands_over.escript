#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(e03_swap_hands_over).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% E03  E3: a swap terminates the old handler and hands what that returned to the new
%% one, which is added even if there was nothing to replace or its end failed.
run() ->
    start(), add(a), add(b), add(c),
    tell(one), tell(two),
    swap(b, out, d, ok), which(),
    swap(none, out, e, ok), which(),
    swap(d, {raise, bad}, f, ok), which(),
    swap(f, out, g, {return, {error, no}}), which(),
    swap(e, out, g, {raise, bad}), which(),
    swap(c, out, g, {return, nonsense}), which(),
    swap(a, again, a, ok), which(),
    %% by the handler itself: the new one takes its place in the order
    add(b), add(c), which(),
    tell({b, {swap, out, h, ok}}), which(), tell(three),
    tell({h, {swap, {raise, bad}, i, ok}}), which(),
    ask(c, {swap, swapped, out, j, ok}), which(), ask(j, count), ask(c, count),
    ask(j, {swap, swapped, {raise, bad}, k, ok}), which(),
    manager ! {a, {swap, out, l, ok}}, which(),
    ev(obs, stop, gen_event:stop(manager)).
swap(Old, Arg, New, Plan) ->
    ev(obs, swap, {Old, New, gen_event:swap_handler(manager, {h(Old), Arg}, {h(New), {New, Plan}})}).

%% ---- the handler: records its life, and does what an event tells it by name ------------
%% Started with {Id, Plan}; after a swap with {{Id, Plan}, what the old one handed over}.
h(Id) -> {?MODULE, Id}.
add(Id) -> add(Id, ok).
add(Id, Plan) -> ev(obs, add, {Id, gen_event:add_handler(manager, h(Id), {Id, Plan})}).
tell(Event) -> ev(obs, notify, Event), gen_event:sync_notify(manager, Event).
ask(Id, Request) -> ev(obs, call, {Id, Request, gen_event:call(manager, h(Id), Request)}).
which() -> ev(obs, which, [Id || {_, Id} <- gen_event:which_handlers(manager)]).
start() -> {ok, M} = gen_event:start_link({local, manager}), name(M, manager).

init({{Id, Plan}, Handed}) -> ev(Id, init, {Plan, Handed}), begin_with(Id, Plan);
init({Id, Plan}) -> ev(Id, init, Plan), begin_with(Id, Plan).
begin_with(Id, ok) -> {ok, {Id, 0}};
begin_with(Id, Plan) -> do(Plan, {Id, 0}).

handle_event(Event, {Id, _} = S) -> ev(Id, event, Event), act(Event, S).
handle_info(Message, {Id, _} = S) -> ev(Id, info, Message), act(Message, S).
act({Id, Do}, {Id, N}) -> do(Do, {Id, N + 1});
act(_, {Id, N}) -> {ok, {Id, N + 1}}.
handle_call(count, {_, N} = S) -> {ok, N, S};
handle_call(Request, S) -> do(Request, S).
terminate(Arg, {Id, N}) ->
    ev(Id, terminate, {Arg, N}),
    case Arg of
        {raise, R} -> error(R);
        _ -> {handed_over_by, Id, N}
    end.

do({raise, R}, _) -> error(R);
do({exit, R}, _) -> exit(R);
do({throw, X}, _) -> throw(X);
do({return, X}, _) -> X;
do({swap, Arg, To, Plan}, S) -> {swap_handler, Arg, S, h(To), {To, Plan}};
do({swap, Reply, Arg, To, Plan}, S) -> {swap_handler, Reply, Arg, S, h(To), {To, Plan}}.

%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean(?MODULE) -> handler;
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_event, terminate}, handler := H, last_message := L,
                        reason := R}}}, _) ->
    report(gen_event_terminate, {H, L, R});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
